;; A smart wallet: a contract that buys and lends in its own name.

(define-public (buy-policy-stx
    (quote-id (buff 16)) (premium uint)
    (terms { protected-value: uint, protected-amount: uint, expiration-height: uint, policy-type: (string-ascii 4),
             fee: uint, collateral: uint, valid-until-height: uint })
    (signature (buff 65)))
  (as-contract (contract-call? .liquidity-pool buy-policy-stx quote-id premium terms signature)))

(define-public (deposit (token (string-ascii 4)) (amount uint))
  (as-contract (contract-call? .liquidity-pool deposit token amount)))

(define-public (give-notice (token (string-ascii 4)) (shares uint))
  (as-contract (contract-call? .liquidity-pool give-notice token shares)))

(define-public (withdraw (token (string-ascii 4)) (shares uint))
  (as-contract (contract-call? .liquidity-pool withdraw token shares)))
