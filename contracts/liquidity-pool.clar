;; The counterparty of every policy: takes premiums, locks collateral, pays out, and belongs to its providers by shares.
;;
;; One pool per token; a policy's premium, collateral and payout are all in its token. Of each pool:
;;   balance = assets + unearned     assets >= locked     a provider owns assets x own shares / shares
;; Premiums are earned block by block over the life of what they pay for; payouts are borne at once; leaving takes
;; notice. So nobody collects for time not stood in for, and nobody slips out ahead of a payout that is on its way.

(define-constant ERR-NOT-AUTHORISED (err u200))
(define-constant ERR-NOT-FOUND (err u201))
(define-constant ERR-BAD-PARAMETERS (err u202))
(define-constant ERR-QUOTE-NOT-SIGNED (err u203))
(define-constant ERR-QUOTE-EXPIRED (err u204))
(define-constant ERR-QUOTE-USED (err u205))
(define-constant ERR-NOT-ENOUGH-FREE (err u206))
(define-constant ERR-ALREADY-SETTLED (err u207))
(define-constant ERR-ALREADY-RELEASED (err u208))
(define-constant ERR-PAYOUT-TOO-LARGE (err u209))
(define-constant ERR-NOT-ENOUGH-SHARES (err u210))
(define-constant ERR-NO-NOTICE (err u211))
(define-constant ERR-NOT-EXPIRED (err u212))

(define-constant STX "STX")
(define-constant SBTC "sBTC")

(define-constant ADMIN tx-sender)
(define-constant SELF (as-contract tx-sender))

;; A week of Bitcoin blocks, the shortest policy; then a day to leave before notice has to be given again.
(define-constant NOTICE u1008)
(define-constant DEPARTURE u144)
;; A year of Bitcoin blocks. No premium takes longer to be earned, however late its policy ends: or one quote signed
;; with a stolen key would put off what all others earn for ever, and overflow the weights of those to come.
(define-constant LONGEST-EARNING u52560)
;; Shares that nobody owns, against one unit that nobody owns: a price at all times, and little rounding (ERC-4626).
(define-constant VIRTUAL-SHARES u1000)
;; Shares that have lost 99.9 % of their first value are not sold any more: their products must fit 128 bits.
(define-constant MAX-SHARES-PER-UNIT u1000000)

(define-constant ACTIVE u0)
(define-constant SETTLED u1)
(define-constant EXPIRED u2)

;; SIP-018: "SIP018", then the hash of the domain, then the hash of the message.
(define-constant QUOTE-PREFIX
  (concat 0x534950303138
    (sha256 (unwrap-panic (to-consensus-buff? { name: "liquidity-pool", version: "1", chain-id: chain-id })))))

(define-data-var quote-signer principal tx-sender)
(define-data-var treasury principal tx-sender)

;; `unearned` becomes `assets` evenly from `since` to `until` (burn heights).
(define-map pools (string-ascii 4)
  { assets: uint, locked: uint, shares: uint, unearned: uint, since: uint, until: uint })
(map-set pools STX { assets: u0, locked: u0, shares: u0, unearned: u0, since: u0, until: u0 })
(map-set pools SBTC { assets: u0, locked: u0, shares: u0, unearned: u0, since: u0, until: u0 })

;; `leaving` shares may be withdrawn from `ready-height` on, for DEPARTURE blocks.
(define-map providers { provider: principal, token: (string-ascii 4) }
  { shares: uint, leaving: uint, ready-height: uint })

(define-map quotes (buff 16) uint)

(define-map positions uint
  { owner: principal, token: (string-ascii 4), collateral: uint, status: uint, payout: uint })

;; --- holders ---

(define-public (buy-policy-stx
    (quote-id (buff 16)) (premium uint)
    (terms { protected-value: uint, protected-amount: uint, expiration-height: uint, policy-type: (string-ascii 4),
             fee: uint, collateral: uint, valid-until-height: uint })
    (signature (buff 65)))
  (buy STX quote-id premium terms signature))

(define-public (buy-policy-sbtc
    (quote-id (buff 16)) (premium uint)
    (terms { protected-value: uint, protected-amount: uint, expiration-height: uint, policy-type: (string-ascii 4),
             fee: uint, collateral: uint, valid-until-height: uint })
    (signature (buff 65)))
  (buy SBTC quote-id premium terms signature))

(define-private (buy
    (token (string-ascii 4)) (quote-id (buff 16)) (premium uint)
    (terms { protected-value: uint, protected-amount: uint, expiration-height: uint, policy-type: (string-ascii 4),
             fee: uint, collateral: uint, valid-until-height: uint })
    (signature (buff 65)))
  (let ((buyer tx-sender)
        (pool (unwrap! (get-pool token) ERR-BAD-PARAMETERS))
        (fee (get fee terms))
        (collateral (get collateral terms))
        (signed-by (try! (get-signer (get-quote-hash buyer token quote-id premium terms) signature))))
    (asserts! (is-eq signed-by (var-get quote-signer)) ERR-QUOTE-NOT-SIGNED)
    (asserts! (<= burn-block-height (get valid-until-height terms)) ERR-QUOTE-EXPIRED)
    (asserts! (is-none (map-get? quotes quote-id)) ERR-QUOTE-USED)
    (asserts! (and (> premium fee) (> collateral u0)) ERR-BAD-PARAMETERS)
    (asserts! (<= collateral (get-free pool)) ERR-NOT-ENOUGH-FREE)
    (try! (transfer token (- premium fee) buyer SELF))
    (and (> fee u0) (try! (transfer token fee buyer (var-get treasury))))
    (let ((policy-id (try! (contract-call? .policy-registry create-policy-entry buyer SELF
            (get protected-value terms) (get protected-amount terms)
            (get expiration-height terms) (get policy-type terms)))))
      (map-insert quotes quote-id policy-id)
      (map-insert positions policy-id
        { owner: buyer, token: token, collateral: collateral, status: ACTIVE, payout: u0 })
      (map-set pools token
        (merge (add-premium pool (- premium fee) (get expiration-height terms))
          { locked: (+ (get locked pool) collateral) }))
      (print
        { event: "policy-purchased", quote-id: quote-id, policy-id: policy-id, buyer: buyer, token: token,
          premium: premium, fee: fee, collateral: collateral })
      (ok policy-id))))

;; --- providers ---

(define-public (deposit (token (string-ascii 4)) (amount uint))
  (let ((provider tx-sender)
        (pool (unwrap! (get-pool token) ERR-BAD-PARAMETERS)))
    (asserts! (> amount u0) ERR-BAD-PARAMETERS)
    ;; Paid before anything is computed: no product overflows with an amount that exists.
    (try! (transfer token amount provider SELF))
    (let ((held (get-provider provider token))
          (shares (/ (* amount (+ (get shares pool) VIRTUAL-SHARES)) (+ (get assets pool) u1))))
      (asserts! (and (> shares u0) (<= shares (* amount MAX-SHARES-PER-UNIT))) ERR-BAD-PARAMETERS)
      (map-set providers { provider: provider, token: token }
        (merge held { shares: (+ (get shares held) shares) }))
      (map-set pools token
        (merge pool { assets: (+ (get assets pool) amount), shares: (+ (get shares pool) shares) }))
      (print { event: "funds-deposited", provider: provider, token: token, amount: amount, shares: shares })
      (ok shares))))

;; Names the shares that are to leave, in place of any named before; u0 takes the notice back.
(define-public (give-notice (token (string-ascii 4)) (shares uint))
  (let ((provider tx-sender)
        (held (get-provider provider token))
        (ready-height (+ burn-block-height NOTICE)))
    (asserts! (<= shares (get shares held)) ERR-NOT-ENOUGH-SHARES)
    (map-set providers { provider: provider, token: token }
      (merge held { leaving: shares, ready-height: ready-height }))
    (print { event: "notice-given", provider: provider, token: token, shares: shares, ready-height: ready-height })
    (ok ready-height)))

(define-public (withdraw (token (string-ascii 4)) (shares uint))
  (let ((provider tx-sender)
        (pool (unwrap! (get-pool token) ERR-BAD-PARAMETERS))
        (held (get-provider provider token)))
    (asserts! (<= shares (get shares held)) ERR-NOT-ENOUGH-SHARES)
    (let ((amount (/ (* shares (+ (get assets pool) u1)) (+ (get shares pool) VIRTUAL-SHARES))))
      (asserts! (> amount u0) ERR-BAD-PARAMETERS)
      (asserts! (and (<= shares (get leaving held)) (may-leave (get ready-height held))) ERR-NO-NOTICE)
      (asserts! (<= amount (get-free pool)) ERR-NOT-ENOUGH-FREE)
      (map-set providers { provider: provider, token: token }
        (merge held { shares: (- (get shares held) shares), leaving: (- (get leaving held) shares) }))
      (map-set pools token
        (merge pool { assets: (- (get assets pool) amount), shares: (- (get shares pool) shares) }))
      (try! (as-contract (transfer token amount tx-sender provider)))
      (print { event: "funds-withdrawn", provider: provider, token: token, amount: amount, shares: shares })
      (ok amount))))

(define-private (may-leave (ready-height uint))
  (let ((height burn-block-height))
    (and (>= height ready-height) (< height (+ ready-height DEPARTURE)))))

;; --- the backend ---

;; Pays the owner and moves the registry to Settled. Each entry stands or falls alone.
(define-public (settle-policies (entries (list 200 { policy-id: uint, amount: uint })))
  (begin
    (asserts! (is-backend) ERR-NOT-AUTHORISED)
    (let ((statuses (try! (contract-call? .policy-registry update-policy-statuses (map to-settled entries))))
          (outcomes (map settle entries statuses)))
      (book outcomes)
      (ok outcomes))))

(define-public (settle-policy (policy-id uint) (amount uint))
  (unwrap-panic (element-at? (try! (settle-policies (list { policy-id: policy-id, amount: amount }))) u0)))

;; Frees the collateral and moves the registry to Expired. Each entry stands or falls alone.
(define-public (expire-policies (policy-ids (list 200 uint)))
  (begin
    (asserts! (is-backend) ERR-NOT-AUTHORISED)
    (let ((statuses (try! (contract-call? .policy-registry update-policy-statuses (map to-expired policy-ids))))
          (outcomes (map expire policy-ids statuses)))
      (book outcomes)
      (ok outcomes))))

;; Frees the collateral of a policy that the registry already calls Expired.
(define-public (release-collateral (policy-id uint))
  (begin
    (asserts! (is-backend) ERR-NOT-AUTHORISED)
    (let ((position (try! (get-open policy-id)))
          (policy (unwrap! (contract-call? .policy-registry get-policy-data policy-id) ERR-NOT-FOUND)))
      (asserts! (is-eq (get status policy) EXPIRED) ERR-NOT-EXPIRED)
      (let ((outcome (release policy-id position)))
        (book (list (ok outcome)))
        (ok outcome)))))

;; The registry is called once for the whole list, before any payment. Active is no move: it stops what is not payable.
(define-private (to-settled (entry { policy-id: uint, amount: uint }))
  { policy-id: (get policy-id entry), new-status: (if (is-ok (get-payable entry)) SETTLED ACTIVE) })

(define-private (to-expired (policy-id uint))
  { policy-id: policy-id, new-status: EXPIRED })

(define-private (settle (entry { policy-id: uint, amount: uint }) (moved (response bool uint)))
  (let ((position (try! (get-payable entry)))
        (policy-id (get policy-id entry))
        (token (get token position))
        (amount (get amount entry)))
    (try! moved)
    (map-set positions policy-id (merge position { status: SETTLED, payout: amount }))
    ;; Cannot fail while assets >= locked; if it does, nothing of this transaction may stand.
    (unwrap-panic (as-contract (transfer token amount tx-sender (get owner position))))
    (print
      { event: "policy-settled", policy-id: policy-id, owner: (get owner position), token: token,
        amount: amount, collateral: (get collateral position) })
    (ok { token: token, collateral: (get collateral position), payout: amount })))

(define-private (expire (policy-id uint) (moved (response bool uint)))
  (begin
    (try! moved)
    (ok (release policy-id (try! (get-open policy-id))))))

(define-private (release
    (policy-id uint)
    (position { owner: principal, token: (string-ascii 4), collateral: uint, status: uint, payout: uint }))
  (let ((token (get token position))
        (collateral (get collateral position)))
    (map-set positions policy-id (merge position { status: EXPIRED }))
    (print
      { event: "collateral-released", policy-id: policy-id, owner: (get owner position), token: token,
        collateral: collateral })
    { token: token, collateral: collateral, payout: u0 }))

(define-private (get-payable (entry { policy-id: uint, amount: uint }))
  (let ((position (try! (get-open (get policy-id entry)))))
    (asserts! (> (get amount entry) u0) ERR-BAD-PARAMETERS)
    (asserts! (<= (get amount entry) (get collateral position)) ERR-PAYOUT-TOO-LARGE)
    (ok position)))

(define-private (get-open (policy-id uint))
  (let ((position (unwrap! (map-get? positions policy-id) ERR-NOT-FOUND)))
    (asserts! (not (is-eq (get status position) SETTLED)) ERR-ALREADY-SETTLED)
    (asserts! (not (is-eq (get status position) EXPIRED)) ERR-ALREADY-RELEASED)
    (ok position)))

;; Writes each pool once, however many policies ended.
(define-private (book (outcomes (list 200 (response
    { token: (string-ascii 4), collateral: uint, payout: uint } uint))))
  (let ((sum (fold add-outcome outcomes
          { stx: { collateral: u0, payout: u0 }, sbtc: { collateral: u0, payout: u0 } })))
    (book-pool STX (get stx sum))
    (book-pool SBTC (get sbtc sum))))

(define-private (add-outcome
    (outcome (response { token: (string-ascii 4), collateral: uint, payout: uint } uint))
    (sum { stx: { collateral: uint, payout: uint }, sbtc: { collateral: uint, payout: uint } }))
  (match outcome
    ended (if (is-eq (get token ended) STX)
            (merge sum { stx: (add-ended (get stx sum) ended) })
            (merge sum { sbtc: (add-ended (get sbtc sum) ended) }))
    refused sum))

(define-private (add-ended
    (sum { collateral: uint, payout: uint })
    (ended { token: (string-ascii 4), collateral: uint, payout: uint }))
  { collateral: (+ (get collateral sum) (get collateral ended)),
    payout: (+ (get payout sum) (get payout ended)) })

(define-private (book-pool (token (string-ascii 4)) (sum { collateral: uint, payout: uint }))
  (let ((pool (unwrap-panic (map-get? pools token))))
    (if (is-eq (get collateral sum) u0)
      true
      (map-set pools token
        (merge pool
          { assets: (- (get assets pool) (get payout sum)),
            locked: (- (get locked pool) (get collateral sum)) })))))

;; --- premiums over time ---

(define-private (accrue (pool { assets: uint, locked: uint, shares: uint, unearned: uint, since: uint, until: uint }))
  (let ((height burn-block-height)
        (earned (if (>= height (get until pool))
          (get unearned pool)
          (/ (* (get unearned pool) (- height (get since pool))) (- (get until pool) (get since pool))))))
    (merge pool
      { assets: (+ (get assets pool) earned), unearned: (- (get unearned pool) earned), since: height })))

;; Of an accrued pool: the blocks left are averaged, weighted by amount, and ceiled.
(define-private (add-premium
    (pool { assets: uint, locked: uint, shares: uint, unearned: uint, since: uint, until: uint })
    (premium uint) (expiration-height uint))
  (let ((height (get since pool))
        (unearned (+ (get unearned pool) premium))
        (blocks-left (if (> (get until pool) height) (- (get until pool) height) u0))
        (life (- expiration-height height))
        (blocks-added (if (< life LONGEST-EARNING) life LONGEST-EARNING))
        (weighted (+ (* (get unearned pool) blocks-left) (* premium blocks-added))))
    (merge pool { unearned: unearned, until: (+ height (/ (+ weighted (- unearned u1)) unearned)) })))

;; --- the admin ---

(define-public (set-quote-signer (new-signer principal))
  (begin
    (asserts! (is-eq contract-caller ADMIN) ERR-NOT-AUTHORISED)
    (print { event: "quote-signer-set", previous: (var-get quote-signer), current: new-signer })
    (ok (var-set quote-signer new-signer))))

(define-public (set-treasury (new-treasury principal))
  (begin
    (asserts! (is-eq contract-caller ADMIN) ERR-NOT-AUTHORISED)
    (print { event: "treasury-set", previous: (var-get treasury), current: new-treasury })
    (ok (var-set treasury new-treasury))))

;; --- shared ---

(define-private (transfer (token (string-ascii 4)) (amount uint) (sender principal) (recipient principal))
  (if (is-eq token STX)
    (stx-transfer? amount sender recipient)
    (contract-call? .sbtc-token transfer amount sender recipient none)))

;; By contract-caller: a contract that the backend was tricked into calling is not the backend.
(define-private (is-backend)
  (is-eq contract-caller (contract-call? .policy-registry get-backend-principal)))

(define-private (get-free
    (pool { assets: uint, locked: uint, shares: uint, unearned: uint, since: uint, until: uint }))
  (- (get assets pool) (get locked pool)))

(define-private (get-signer (hash (buff 32)) (signature (buff 65)))
  (let ((key (unwrap! (secp256k1-recover? hash signature) ERR-QUOTE-NOT-SIGNED)))
    (ok (unwrap! (principal-of? key) ERR-QUOTE-NOT-SIGNED))))

;; --- everyone ---

(define-read-only (get-quote-hash
    (buyer principal) (token (string-ascii 4)) (quote-id (buff 16)) (premium uint)
    (terms { protected-value: uint, protected-amount: uint, expiration-height: uint, policy-type: (string-ascii 4),
             fee: uint, collateral: uint, valid-until-height: uint }))
  (sha256 (concat QUOTE-PREFIX (sha256 (unwrap-panic (to-consensus-buff?
    (merge terms { pool: SELF, buyer: buyer, token: token, quote-id: quote-id, premium: premium })))))))

(define-read-only (get-position (policy-id uint)) (map-get? positions policy-id))
(define-read-only (get-positions (policy-ids (list 50 uint))) (map get-position policy-ids))
(define-read-only (get-quote-policy (quote-id (buff 16))) (map-get? quotes quote-id))
;; As of now: what has been earned is in `assets`.
(define-read-only (get-pool (token (string-ascii 4)))
  (match (map-get? pools token) pool (some (accrue pool)) none))
(define-read-only (get-provider (provider principal) (token (string-ascii 4)))
  (default-to { shares: u0, leaving: u0, ready-height: u0 }
    (map-get? providers { provider: provider, token: token })))
(define-read-only (get-quote-signer) (var-get quote-signer))
(define-read-only (get-treasury) (var-get treasury))
