"""gunicorn's options, sized for a small machine and changed by environment variables."""

import os

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Nearly all of a request is waiting for the API, so threads are cheap and processes are not.
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
timeout = 60
graceful_timeout = 30
keepalive = 75
max_requests = 5000
max_requests_jitter = 50
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (gunicorn names the file itself)
# Nobody administers a worker from inside its dyno.
control_socket_disable = True
# Query strings carry sign-in codes: the path alone is logged.
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'
errorlog = "-"
