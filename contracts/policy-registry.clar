;; Protection policies: their core terms and their final status. No money passes here.
;;
;; Both sides consent: a policy is made when its owner signs (tx-sender) and its counterparty's contract makes the
;; call (contract-caller). Only that contract settles it, on the backend's order: Settled means what it made of it.

(define-constant ERR-NOT-AUTHORISED (err u100))
(define-constant ERR-NOT-FOUND (err u101))
(define-constant ERR-BAD-PARAMETERS (err u102))
(define-constant ERR-BAD-TRANSITION (err u103))
(define-constant ERR-NOT-EXPIRED (err u104))

(define-constant ACTIVE u0)
(define-constant SETTLED u1)
(define-constant EXPIRED u2)

(define-constant ADMIN tx-sender)

(define-data-var backend-principal principal tx-sender)
(define-data-var policy-counter uint u0)

(define-map policies uint
  { owner: principal, counterparty: principal,
    protected-value: uint, protected-amount: uint,
    expiration-height: uint, policy-type: (string-ascii 4),
    status: uint })

;; --- both sides ---

(define-public (create-policy-entry
    (owner principal) (counterparty principal)
    (protected-value uint) (protected-amount uint)
    (expiration-height uint) (policy-type (string-ascii 4)))
  (let ((policy-id (+ (var-get policy-counter) u1))
        (height burn-block-height)
        (policy
          { owner: owner, counterparty: counterparty,
            protected-value: protected-value, protected-amount: protected-amount,
            expiration-height: expiration-height, policy-type: policy-type,
            status: ACTIVE }))
    (asserts! (is-eq tx-sender owner) ERR-NOT-AUTHORISED)
    (asserts! (is-eq contract-caller counterparty) ERR-NOT-AUTHORISED)
    (asserts! (not (is-eq owner counterparty)) ERR-BAD-PARAMETERS)
    (asserts! (and (> protected-value u0) (> protected-amount u0)) ERR-BAD-PARAMETERS)
    (asserts! (> expiration-height height) ERR-BAD-PARAMETERS)
    (asserts! (is-eq policy-type "PUT") ERR-BAD-PARAMETERS)
    (map-insert policies policy-id policy)
    (var-set policy-counter policy-id)
    (print (merge policy { event: "policy-created", policy-id: policy-id, burn-height: height }))
    (ok policy-id)))

;; --- the backend ---

(define-public (update-policy-status (policy-id uint) (new-status uint))
  (begin
    (asserts! (is-backend) ERR-NOT-AUTHORISED)
    (update-one { policy-id: policy-id, new-status: new-status })))

;; Each entry stands or falls alone; the answer holds one result per entry, in order.
(define-public (update-policy-statuses (updates (list 200 { policy-id: uint, new-status: uint })))
  (begin
    (asserts! (is-backend) ERR-NOT-AUTHORISED)
    (ok (map update-one updates))))

;; By tx-sender, for the order comes through the counterparty's contract; update-one says which contract may pass it on.
(define-private (is-backend)
  (is-eq tx-sender (var-get backend-principal)))

;; Checks first, writes last: an error in a map is not rolled back.
(define-private (update-one (update { policy-id: uint, new-status: uint }))
  (let ((policy-id (get policy-id update))
        (new-status (get new-status update))
        (policy (unwrap! (map-get? policies policy-id) ERR-NOT-FOUND))
        (height burn-block-height) ;; once: each use of the keyword costs a read
        (by-counterparty (is-eq contract-caller (get counterparty policy)))
        (by-backend-itself (is-eq contract-caller tx-sender)))
    (asserts! (or (is-eq new-status SETTLED) (is-eq new-status EXPIRED)) ERR-BAD-PARAMETERS)
    (asserts! (or by-counterparty (and by-backend-itself (is-eq new-status EXPIRED))) ERR-NOT-AUTHORISED)
    (asserts! (is-eq (get status policy) ACTIVE) ERR-BAD-TRANSITION)
    (asserts! (or (is-eq new-status SETTLED) (> height (get expiration-height policy))) ERR-NOT-EXPIRED)
    (map-set policies policy-id (merge policy { status: new-status }))
    (print
      { event: "policy-status-updated", policy-id: policy-id, owner: (get owner policy),
        counterparty: (get counterparty policy),
        previous-status: ACTIVE, new-status: new-status, burn-height: height })
    (ok true)))

;; --- the admin ---

(define-public (set-backend-principal (new-backend principal))
  (begin
    (asserts! (is-eq contract-caller ADMIN) ERR-NOT-AUTHORISED)
    (print { event: "backend-principal-set", previous: (var-get backend-principal), current: new-backend })
    (ok (var-set backend-principal new-backend))))

;; --- everyone ---

(define-read-only (get-policy-data (policy-id uint)) (map-get? policies policy-id))
(define-read-only (get-policies (policy-ids (list 50 uint))) (map get-policy-data policy-ids))
(define-read-only (get-policy-counter) (var-get policy-counter))
(define-read-only (get-backend-principal) (var-get backend-principal))
