"""gunicorn's options for the sandbox."""

import os

bind = f"0.0.0.0:{os.environ.get('PORT', '8023')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
worker_class = "gthread"
# Applications may ask for thousands of markers by name, in an address.
limit_request_line = 8190
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (gunicorn names the file itself)
control_socket_disable = True
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'
