;; What the tests call: every kind of effect, of failure and of argument.
(define-fungible-token coin)
(define-non-fungible-token card uint)
(define-map entries uint uint)

(define-public (put (key uint) (value uint))
  (begin
    (map-set entries key value)
    (print { event: "put", key: key, value: value, burn-height: burn-block-height })
    (ok value)))

(define-public (send-stx (amount uint) (recipient principal))
  (stx-transfer? amount tx-sender recipient))

(define-public (send-stx-with-memo (amount uint) (recipient principal))
  (stx-transfer-memo? amount tx-sender recipient 0x68656c6c6f))

(define-public (take-stx (amount uint))
  (stx-transfer? amount tx-sender (as-contract tx-sender)))

(define-public (pay-out (amount uint))
  (let ((recipient tx-sender))
    (as-contract (stx-transfer? amount tx-sender recipient))))

(define-public (mint (amount uint)) (ft-mint? coin amount tx-sender))
(define-public (send-coin (amount uint) (recipient principal)) (ft-transfer? coin amount tx-sender recipient))
(define-public (burn-coin (amount uint)) (ft-burn? coin amount tx-sender))
(define-public (draw (id uint)) (nft-mint? card id tx-sender))
(define-public (give (id uint) (recipient principal)) (nft-transfer? card id tx-sender recipient))

(define-public (put-and-refuse (key uint))
  (begin (map-set entries key u666) (err u42)))

(define-public (put-and-divide (key uint) (divisor uint))
  (begin (map-set entries key u666) (ok (/ key divisor))))

(define-public (take-terms (terms { amount: uint, kind: (string-ascii 4) }) (id (buff 16)))
  (ok (get amount terms)))

(define-read-only (get-entry (key uint)) (map-get? entries key))
(define-read-only (get-burn-height) burn-block-height)
(define-read-only (get-coins (who principal)) (ft-get-balance coin who))
(define-read-only (divide (divisor uint)) (ok (/ u1 divisor)))
(define-private (hidden) true)
