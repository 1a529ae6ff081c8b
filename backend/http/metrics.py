"""``/metrics`` for Prometheus: requests of this process, what waits in the database and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from backend.db import deliveries, events, jobs
from backend.db.engine import Database
from backend.http import lags

blueprint = Blueprint("metrics", __name__)


_AGES = (
    ("stvg_jobs_oldest_queued_seconds", "Age of the oldest queued job", lags.oldest_queued_job),
    ("stvg_events_lag_seconds", "Age of the oldest webhook that was not read yet", lags.oldest_new_event),
    ("stvg_deliveries_lag_seconds", "By how much the longest due push is late", lags.longest_due_push),
)


class StoredCounts(Collector):
    """Rows per state, read at each scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> list[Metric]:
        return []  # registering must not touch the database

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("stvg_database_up", "1 when the database answers")
        found: list[Metric] = []
        try:
            with self._database.read() as session:
                for name, counts in (
                    ("jobs", jobs.counts),
                    ("deliveries", deliveries.counts),
                    ("events", events.counts),
                ):
                    gauge = GaugeMetricFamily(f"stvg_{name}", f"{name} in the database by state", labels=["state"])
                    for state, count in counts(session).items():
                        gauge.add_metric([state], count)
                    found.append(gauge)
                found += [GaugeMetricFamily(name, said, value=age(session)) for name, said, age in _AGES]
            up.add_metric([], 1)
        except SQLAlchemyError:
            up.add_metric([], 0)
        yield up
        yield from found


def install(app: Flask, database: Database) -> None:
    """Measure each request. Every app has a registry of its own, so that a second app in one process is no clash."""
    registry = CollectorRegistry()
    registry.register(StoredCounts(database))
    requests = Counter("stvg_requests", "HTTP requests", ["route", "status"], registry=registry)
    seconds = Histogram("stvg_request_seconds", "Seconds per HTTP request", ["route"], registry=registry)
    app.extensions["stvg_metrics"] = registry

    @app.before_request
    def start() -> None:
        g.started = time.monotonic()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "none"
        requests.labels(route, str(response.status_code)).inc()
        if "started" in g:
            seconds.labels(route).observe(time.monotonic() - g.started)
        return response


@blueprint.get("/metrics")
def metrics() -> Response:
    """The counters as Prometheus reads them."""
    return Response(generate_latest(current_app.extensions["stvg_metrics"]), content_type=CONTENT_TYPE_LATEST)
