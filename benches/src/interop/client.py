"""Exports fixed data with the Python SDK, each batch twice: to a reference and to the gateway.

usage: client.py grpc|http/protobuf none|gzip REFERENCE GATEWAY SIGNAL...

The last line of standard output is a JSON list with an object for each signal: {"signal", "items", "problems"}.
"""

import json
import logging
import math
import sys
from importlib import import_module

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.metrics import (
    AlwaysOnExemplarFilter,
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

START = 1_700_000_000_123_456_789
# Small items beside the elaborate ones, so many that the SDK needs more than one request.
FILLERS = 600
# Everything that an escape or a wrong length would spoil.
TEXT = 'Grüße 日本語 🦀 مرحبا \0 \U0010ffff \u2028 "quoted" back\\slash \r\n\t {[(,:'

ATTRIBUTES = {
    "text": TEXT,
    "empty text": "",
    TEXT: "a key that is hard to carry",
    "long": "0123456789abcdef" * 300,
    "true": True,
    "false": False,
    "zero": 0,
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "beyond doubles": 2**53 + 1,
    "double": 0.1 + 0.2,
    "whole double": 3.0,
    "negative zero": -0.0,
    "tiny": 5e-324,
    "not a number": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "bytes": bytes(range(256)),
    "booleans": [True, False],
    "integers": [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1],
    "doubles": [-0.0, 1.0, 0.1, 1e300, 5e-324],
    "texts": [TEXT, "", "plain"],
}
# Only the body of a log record may be anything.
BODIES = [
    *ATTRIBUTES.values(),
    [],
    {},
    None,
    [TEXT, 1, 2.5, None, [True, {"deep": [b"\x00\xff"]}]],
    {"map": {"inner": {"list": [1, "two", {}]}}, "second": -7, TEXT: "a key"},
]

RICH = Resource.create(
    {"service.name": "interop", **ATTRIBUTES}, schema_url="https://example.com/resource/1.0"
)
PLAIN = Resource({"service.name": TEXT})


class Problems(logging.Handler):
    """Whatever the SDK complains of."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        line = f"{record.name}: {record.getMessage()}"
        # Attributes are dropped on purpose, so that something is counted as dropped.
        if not record.getMessage().startswith("Attributes dict is full"):
            self.lines.append(line)

    def take(self):
        lines, self.lines = self.lines, []
        return lines


PROBLEMS = Problems()


class Twice:
    """Hands each batch to both exporters, counts its items and keeps failures."""

    def __init__(self, exporters, success):
        self.exporters = exporters
        self.success = success
        self.items = 0

    def deliver(self, batch, count):
        self.items += count
        for exporter in self.exporters:
            result = exporter.export(batch)
            if result is not self.success:
                PROBLEMS.lines.append(f"an export ended with {result}")
        return self.success

    def shutdown(self, *args, **kwargs):
        for exporter in self.exporters:
            exporter.shutdown()

    def force_flush(self, timeout_millis=30_000):
        return True


class Spans(Twice, SpanExporter):
    def export(self, spans):
        return self.deliver(spans, len(spans))


class Logs(Twice, LogRecordExporter):
    def export(self, batch):
        return self.deliver(batch, len(batch))


class Metrics(Twice, MetricExporter):
    def __init__(self, exporters, success):
        first = exporters[0]
        MetricExporter.__init__(self, first._preferred_temporality, first._preferred_aggregation)
        Twice.__init__(self, exporters, success)

    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        scopes = (s for resource in metrics_data.resource_metrics for s in resource.scope_metrics)
        return self.deliver(
            metrics_data, sum(len(m.data.data_points) for s in scopes for m in s.metrics)
        )


def exporters(module, name, arguments, **more):
    protocol, compression, reference, gateway = arguments
    if protocol == "grpc":
        from grpc import Compression

        package = "opentelemetry.exporter.otlp.proto.grpc"
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression

        package = "opentelemetry.exporter.otlp.proto.http"
    more["compression"] = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    exporter = getattr(import_module(f"{package}.{module}"), name)
    path = "" if protocol == "grpc" else PATHS[module]
    return [exporter(endpoint=door + path, **more) for door in (reference, gateway)]


PATHS = {
    "trace_exporter": "/v1/traces",
    "metric_exporter": "/v1/metrics",
    "_log_exporter": "/v1/logs",
}


def context(number, remote):
    state = TraceState([("vendor", "t61rcWkgMzE"), ("other@tenant", "00f067aa0ba902b7")])
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext((number << 64) | 0xFEED, number, remote, flags, state)


def parent(number, remote=True):
    return trace.set_span_in_context(NonRecordingSpan(context(number, remote)))


def traces(arguments):
    exporter = Spans(
        exporters("trace_exporter", "OTLPSpanExporter", arguments), SpanExportResult.SUCCESS
    )
    providers = []
    for resource in (RICH, PLAIN):
        # Small limits, so that something is dropped and counted.
        limits = SpanLimits(
            max_span_attributes=len(ATTRIBUTES) - 1,
            max_events=3,
            max_links=2,
            max_event_attributes=5,
            max_link_attributes=4,
        )
        provider = TracerProvider(resource=resource, span_limits=limits)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        providers.append(provider)
        for tracer in (
            provider.get_tracer("scope.日本語", "1.2.3", "https://example.com/scope/1.0", ATTRIBUTES),
            provider.get_tracer("plain"),
        ):
            links = [Link(context(number, number % 2 == 0), ATTRIBUTES) for number in range(2, 6)]
            span = tracer.start_span(
                TEXT, parent(1), SpanKind.SERVER, ATTRIBUTES, links, start_time=START
            )
            for number in range(5):
                span.add_event(f"event {number} {TEXT}", ATTRIBUTES, START + number)
            span.set_status(Status(StatusCode.ERROR, TEXT))
            span.end(START + 10)
            for number, kind in enumerate(SpanKind):
                span = tracer.start_span(kind.name, parent(7, False), kind, start_time=START + number)
                span.set_status(StatusCode.OK if number % 2 else StatusCode.UNSET)
                span.end(START + number)
            tracer.start_span("").end()
    tracer = providers[1].get_tracer("fillers")
    for number in range(FILLERS):
        tracer.start_span(f"filler {number}", attributes={"number": number}).end()
    for provider in providers:
        provider.force_flush()
    return exporter.items


def logs(arguments):
    exporter = Logs(
        exporters("_log_exporter", "OTLPLogExporter", arguments), LogRecordExportResult.SUCCESS
    )
    providers = []
    for resource in (RICH, PLAIN):
        limits = LogRecordLimits(max_attributes=len(ATTRIBUTES) - 1)
        provider = LoggerProvider(
            resource=resource, shutdown_on_exit=False, log_record_limits=limits
        )
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        providers.append(provider)
        for logger in (
            provider.get_logger("scope.日本語", "1.2.3", "https://example.com/scope/1.0", ATTRIBUTES),
            provider.get_logger("plain"),
        ):
            for number, severity in enumerate(SeverityNumber):
                logger.emit(
                    LogRecord(
                        timestamp=START + number,
                        observed_timestamp=START + number + 1,
                        context=parent(number + 1) if number else None,
                        severity_text=severity.name,
                        severity_number=severity,
                        body=TEXT,
                        attributes=ATTRIBUTES,
                        event_name=f"event {number} {TEXT}",
                    )
                )
            for number, body in enumerate(BODIES):
                logger.emit(
                    LogRecord(timestamp=START, body=body, attributes={"number": number, "nested": body})
                )
    logger = providers[1].get_logger("fillers")
    for number in range(FILLERS):
        logger.emit(LogRecord(timestamp=START + number, body="filler", attributes={"number": number}))
    for provider in providers:
        provider.force_flush()
    return exporter.items


def instruments(provider, prefix, *scope):
    # Views that match the same name in two scopes are taken for a conflict.
    meter = provider.get_meter(f"{prefix}.scope", *scope)
    counter = meter.create_counter("counter", "By", TEXT)
    counter.add(2**53 + 1, ATTRIBUTES, parent(3))
    counter.add(0)
    counter = meter.create_counter("counter.float", "{b}/s")
    counter.add(0.1 + 0.2, ATTRIBUTES, parent(4))
    up_down = meter.create_up_down_counter("updown")
    up_down.add(-(2**63), ATTRIBUTES, parent(5))
    up_down.add(-0.5)
    gauge = meter.create_gauge("gauge")
    gauge.set(-5e-324, ATTRIBUTES, parent(6))
    gauge.set(-1e300)
    gauge.set(2**63 - 1, {"number": 1})
    for name in ("histogram", "exponential"):
        histogram = meter.create_histogram(f"{prefix}.{name}", "s", TEXT)
        for value in (0.0, 1e-9, 1.5, 1e9):
            histogram.record(value, ATTRIBUTES, parent(7))
        histogram.record(1)
    observe = [lambda _: [metrics.Observation(-7, ATTRIBUTES), metrics.Observation(0.7)]]
    meter.create_observable_gauge("observable.gauge", observe)
    meter.create_observable_up_down_counter("observable.updown", observe)
    meter.create_observable_counter("observable.counter", [lambda _: [metrics.Observation(7)]])


def measures(arguments):
    items = 0
    delta = dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA)
    for resource, temporality in ((RICH, {}), (PLAIN, delta)):
        exporter = Metrics(
            exporters(
                "metric_exporter",
                "OTLPMetricExporter",
                arguments,
                preferred_temporality=temporality,
            ),
            MetricExportResult.SUCCESS,
        )
        provider = MeterProvider(
            # Flushed by hand: nothing of the clock's doing.
            metric_readers=[PeriodicExportingMetricReader(exporter, math.inf)],
            resource=resource,
            exemplar_filter=AlwaysOnExemplarFilter(),
            shutdown_on_exit=False,
            views=[
                View(
                    instrument_name="*.exponential", aggregation=ExponentialBucketHistogramAggregation()
                ),
                # A view that drops attributes, so that exemplars have those that were filtered.
                View(
                    instrument_name="*.histogram",
                    attribute_keys={"text"},
                    aggregation=ExplicitBucketHistogramAggregation([-1.0, 0.1 + 0.2, 1e9]),
                ),
            ],
        )
        instruments(provider, "rich", "1.2.3", "https://example.com/scope/1.0", ATTRIBUTES)
        instruments(provider, "plain")
        fillers = provider.get_meter("fillers").create_counter("fillers")
        for number in range(FILLERS):
            fillers.add(number, {"number": number})
        provider.force_flush()
        items += exporter.items
    return items


def main():
    logging.getLogger().addHandler(PROBLEMS)
    arguments, signals = sys.argv[1:5], sys.argv[5:]
    reports = []
    for signal in signals:
        export = {"traces": traces, "metrics": measures, "logs": logs}[signal]
        items = export(arguments)
        reports.append({"signal": signal, "items": items, "problems": PROBLEMS.take()})
    print(json.dumps(reports), flush=True)


main()
