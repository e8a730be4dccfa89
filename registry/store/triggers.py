"""Triggers that write the feed and count the stats, each in the commit that it tells of."""

_FEED = """
CREATE FUNCTION feed_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO policy_feed (event_id, policy_id, owner_principal)
  SELECT NEW.id, NEW.policy_id, owner_principal FROM policies WHERE id = NEW.policy_id;
  PERFORM pg_notify('policy_feed', '');
  RETURN NULL;
END $$
"""
_FEED_TRIGGER = """
CREATE TRIGGER policy_events_feed AFTER INSERT ON policy_events
FOR EACH ROW EXECUTE FUNCTION feed_event()
"""
_COUNT_POLICY = """
CREATE FUNCTION count_policy(policy policies, held text, times int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stat_changes (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
    settled_base_units, locked_base_units, reserved_base_units)
  VALUES (coalesce(held, policy.premium_token, ''), policy.status_detailed, times,
    CASE WHEN policy.status_detailed = 'Active' THEN times * policy.protected_amount_sats ELSE 0 END,
    times * coalesce(policy.premium_amount_base_units, 0), times * coalesce(policy.premium_fee_amount_base_units, 0),
    times * coalesce(policy.settlement_amount_base_units, 0), 0, 0)
$$
"""
_COUNT_RESERVATION = """
CREATE FUNCTION count_reservation(reservation reservations, times int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stat_changes (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
    settled_base_units, locked_base_units, reserved_base_units)
  SELECT reservation.token, '', 0, 0, 0, 0, 0,
    CASE WHEN reservation.state = 'locked' THEN times * reservation.amount_base_units ELSE 0 END,
    CASE WHEN reservation.state = 'reserved' THEN times * reservation.amount_base_units ELSE 0 END
  WHERE reservation.state <> 'released'
$$
"""
_POLICY_COUNTED = """
CREATE FUNCTION policy_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  held text;
BEGIN
  SELECT token INTO held FROM reservations WHERE policy_id = NEW.id;
  IF TG_OP = 'UPDATE' THEN
    PERFORM count_policy(OLD, held, -1);
  END IF;
  PERFORM count_policy(NEW, held, 1);
  RETURN NULL;
END $$
"""
_POLICY_INSERTED_TRIGGER = """
CREATE TRIGGER policies_inserted_counted AFTER INSERT ON policies
FOR EACH ROW EXECUTE FUNCTION policy_counted()
"""
_POLICY_UPDATED_TRIGGER = """
CREATE TRIGGER policies_updated_counted AFTER UPDATE ON policies
FOR EACH ROW WHEN (
  (OLD.status_detailed, OLD.protected_amount_sats, OLD.premium_token, OLD.premium_amount_base_units,
   OLD.premium_fee_amount_base_units, OLD.settlement_amount_base_units)
  IS DISTINCT FROM
  (NEW.status_detailed, NEW.protected_amount_sats, NEW.premium_token, NEW.premium_amount_base_units,
   NEW.premium_fee_amount_base_units, NEW.settlement_amount_base_units)
) EXECUTE FUNCTION policy_counted()
"""
_RESERVATION_COUNTED = """
CREATE FUNCTION reservation_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  policy policies;
  before text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    before := OLD.token;
    PERFORM count_reservation(OLD, -1);
  END IF;
  IF NEW.token IS DISTINCT FROM before THEN
    SELECT * INTO policy FROM policies WHERE id = NEW.policy_id;
    PERFORM count_policy(policy, before, -1);
    PERFORM count_policy(policy, NEW.token, 1);
  END IF;
  PERFORM count_reservation(NEW, 1);
  RETURN NULL;
END $$
"""
_RESERVATION_TRIGGER = """
CREATE TRIGGER reservations_counted AFTER INSERT OR UPDATE ON reservations
FOR EACH ROW EXECUTE FUNCTION reservation_counted()
"""

TRIGGERS = (
    _FEED,
    _FEED_TRIGGER,
    _COUNT_POLICY,
    _COUNT_RESERVATION,
    _POLICY_COUNTED,
    _POLICY_INSERTED_TRIGGER,
    _POLICY_UPDATED_TRIGGER,
    _RESERVATION_COUNTED,
    _RESERVATION_TRIGGER,
)
"""In the order in which they are made."""
