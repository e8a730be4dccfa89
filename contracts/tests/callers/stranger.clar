;; A stranger's contract: passes on whatever it is called with, in the name of whoever was made to call it.

(define-public (create-policy-entry
    (owner principal) (counterparty principal)
    (protected-value uint) (protected-amount uint)
    (expiration-height uint) (policy-type (string-ascii 4)))
  (contract-call? .policy-registry create-policy-entry
    owner counterparty protected-value protected-amount expiration-height policy-type))

(define-public (update-policy-status (policy-id uint) (new-status uint))
  (contract-call? .policy-registry update-policy-status policy-id new-status))

(define-public (update-policy-statuses (updates (list 200 { policy-id: uint, new-status: uint })))
  (contract-call? .policy-registry update-policy-statuses updates))

(define-public (set-backend-principal (new-backend principal))
  (contract-call? .policy-registry set-backend-principal new-backend))

(define-public (settle-policy (policy-id uint) (amount uint))
  (contract-call? .liquidity-pool settle-policy policy-id amount))

(define-public (settle-policies (entries (list 200 { policy-id: uint, amount: uint })))
  (contract-call? .liquidity-pool settle-policies entries))

(define-public (expire-policies (policy-ids (list 200 uint)))
  (contract-call? .liquidity-pool expire-policies policy-ids))

(define-public (release-collateral (policy-id uint))
  (contract-call? .liquidity-pool release-collateral policy-id))

(define-public (set-quote-signer (new-signer principal))
  (contract-call? .liquidity-pool set-quote-signer new-signer))

(define-public (set-treasury (new-treasury principal))
  (contract-call? .liquidity-pool set-treasury new-treasury))

;; Takes tokens in its own name, as a contract that holds some does.
(define-public (spend-own (amount uint) (recipient principal))
  (contract-call? .sbtc-token transfer amount (as-contract tx-sender) recipient none))
