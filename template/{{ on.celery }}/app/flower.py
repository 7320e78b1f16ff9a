"""What Flower looks at: `celery --app app.flower flower`."""

from app.jobs.broker import celery_app

app = celery_app()
