"""The audit: SQL and call-reads of its own, by no function of the services that it audits."""
