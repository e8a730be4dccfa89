"""Celery's configuration, made from the settings when a process first needs it."""

from datetime import timedelta

from beat_schedule import SCHEDULE
from registry.settings import Settings
from workers.queues import CHAIN, DEFAULT, QUEUES, SIGNING, WEBHOOKS

_settings = Settings()

broker_url = _settings.broker_url.get_secret_value()
result_backend = (_settings.result_url or _settings.broker_url).get_secret_value()
broker_connection_retry_on_startup = True
broker_transport_options = {
    "visibility_timeout": _settings.visibility_timeout_seconds,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
    "health_check_interval": 30,
}
result_backend_transport_options = {"visibility_timeout": _settings.visibility_timeout_seconds}
visibility_timeout = _settings.visibility_timeout_seconds
redis_socket_keepalive = True
redis_retry_on_timeout = True

task_serializer = result_serializer = event_serializer = "json"
accept_content = result_accept_content = ["json"]

task_acks_late = True
task_reject_on_worker_lost = True
task_time_limit = _settings.time_limit_seconds
task_soft_time_limit = _settings.soft_time_limit_seconds
worker_prefetch_multiplier = 1
worker_max_tasks_per_child = 5_000
worker_soft_shutdown_timeout = _settings.soft_shutdown_seconds
worker_send_task_events = True
task_send_sent_event = True
worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_enable_remote_control = True

# results live an hour, and only where a caller waits for them; the truth is in Postgres
task_ignore_result = True
task_store_errors_even_if_ignored = True
result_expires = 3600

task_default_queue = DEFAULT
task_queues: dict[str, dict[str, object]] = {name: {} for name in QUEUES}
task_create_missing_queues = False
task_routes = {
    "policies.prepare_creation": {"queue": SIGNING},
    "transactions.sign_and_broadcast": {"queue": SIGNING},
    "transactions.heal": {"queue": SIGNING},
    "transactions.monitor": {"queue": CHAIN},
    "transactions.poll": {"queue": CHAIN},
    "chain.follow": {"queue": CHAIN},
    "chain.take_push": {"queue": CHAIN},
    "policies.sync_status": {"queue": CHAIN},
    "policies.handle_on_chain_event": {"queue": CHAIN},
    "policies.reconcile": {"queue": CHAIN},
    "webhooks.collect": {"queue": WEBHOOKS},
    "webhooks.notice": {"queue": WEBHOOKS},
    "webhooks.notice_payouts": {"queue": WEBHOOKS},
    "webhooks.deliver": {"queue": WEBHOOKS},
    "webhooks.forget": {"queue": WEBHOOKS},
}

# in memory: a schedule file would hold nothing that the database does not know better
beat_scheduler = "celery.beat:Scheduler"
beat_max_loop_interval = 1
beat_schedule = {
    entry.name: {
        "task": entry.task,
        "schedule": timedelta(seconds=_settings.schedule_seconds.get(entry.name, entry.seconds)),
        "options": {"expires": max(entry.expires, 2 * _settings.schedule_seconds.get(entry.name, 0))},
    }
    for entry in SCHEDULE
}

include = [
    "workers.prices",
    "workers.policies",
    "workers.transactions",
    "workers.blocks",
    "workers.questions",
    "workers.reconciliation",
    "workers.stats",
    "workers.front",
    "workers.webhooks",
]
