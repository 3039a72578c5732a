//! The counts through a meter of the program's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use aqueduct_wire::Signal;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::SignalSnapshot;
use crate::aqueduct::Aqueduct;
use crate::inner::Inner;
use crate::outlet::Outlet;

/// Names components apart (`otel.component.name`), by [`Signal::index`].
static COMPONENTS: [AtomicU64; Signal::ALL.len()] = [const { AtomicU64::new(0) }; Signal::ALL.len()];

/// One signal's part of the instruments.
#[derive(Clone)]
struct Source {
    /// Instruments live as long as their provider, which must not keep telemetry from ending.
    inner: Weak<Inner>,
    signal: Signal,
    processor: Arc<[KeyValue]>,
    exporter: Arc<[KeyValue]>,
}

/// Readings of one metric: the value and what is said of it besides the component.
type Readings = Vec<(u64, Vec<KeyValue>)>;

impl Aqueduct {
    /// Makes the instruments of the conventions' SDK metrics in this meter, which is to be asked for under a name of the program's choice: counters that are
    /// read when the meter's reader collects, and the histogram of `otel.sdk.exporter.operation.duration`, which costs an observation for each request.
    ///
    /// Call it once. They end with their meter's provider, and read nothing once the handle and all that was made of it are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use opentelemetry::metrics::MeterProvider;
    /// use opentelemetry_sdk::metrics::SdkMeterProvider;
    ///
    /// # let telemetry = aqueduct_opentelemetry::Aqueduct::builder().variables(|_| None).build()?;
    /// let provider = SdkMeterProvider::builder().with_periodic_exporter(telemetry.metric_exporter()).build();
    /// telemetry.observe(&provider.meter("aqueduct"));
    /// # Ok::<(), aqueduct_opentelemetry::BuildError>(())
    /// ```
    pub fn observe(&self, meter: &Meter) {
        let exporters = Signal::ALL.map(|signal| {
            let source = Source::new(Arc::downgrade(&self.inner), self.inner.outlet(signal));
            source.register(meter);
            source.exporter
        });
        let histogram = meter
            .f64_histogram("otel.sdk.exporter.operation.duration")
            .with_unit("s")
            .with_description("The duration of exporting a batch of telemetry records.")
            // The conventions recommend none.
            .with_boundaries(Vec::new())
            .build();
        self.inner.durations.record_in(histogram, exporters);
    }
}

impl Source {
    fn new(inner: Weak<Inner>, outlet: &Outlet) -> Source {
        let signal = outlet.signal();
        let number = COMPONENTS[signal.index()].fetch_add(1, Ordering::Relaxed);
        let component = |kind: String| {
            let name = format!("{kind}/{number}");
            [KeyValue::new("otel.component.type", kind), KeyValue::new("otel.component.name", name)]
        };
        let peer = outlet.recipe().and_then(|recipe| recipe.peer.as_ref());
        let items = items_of(signal);
        let exporter =
            peer.map_or_else(|| format!("aqueduct_{items}_exporter"), |peer| peer.component(signal));
        let mut exporter = component(exporter).to_vec();
        if let Some(peer) = peer {
            exporter.push(KeyValue::new("server.address", peer.address.clone()));
            exporter.extend(peer.port.map(|port| KeyValue::new("server.port", i64::from(port))));
        }
        let processor = component(format!("aqueduct_{items}_processor"));
        Source { inner, signal, processor: processor.into(), exporter: exporter.into() }
    }

    fn register(&self, meter: &Meter) {
        let (items, unit) = (items_of(self.signal), unit_of(self.signal));
        if self.signal == Signal::Traces {
            self.counter(meter, "otel.sdk.span.started".to_owned(), unit, &[], |snapshot| {
                snapshot
                    .started
                    .iter()
                    .map(|count| {
                        let origin = KeyValue::new("otel.span.parent.origin", count.parent_origin);
                        (
                            count.spans,
                            vec![origin, KeyValue::new("otel.span.sampling_result", count.sampling_result)],
                        )
                    })
                    .collect()
            });
            self.up_down(meter, "otel.sdk.span.live".to_owned(), unit, &[], |snapshot| {
                snapshot
                    .live
                    .iter()
                    .map(|count| {
                        (count.spans, vec![KeyValue::new("otel.span.sampling_result", count.sampling_result)])
                    })
                    .collect()
            });
        }
        if self.signal == Signal::Logs {
            self.counter(meter, "otel.sdk.log.created".to_owned(), unit, &[], |snapshot| {
                vec![(snapshot.created, Vec::new())]
            });
        }
        if self.signal != Signal::Metrics {
            let name = |name: &str| format!("otel.sdk.processor.{items}.{name}");
            self.up_down(meter, name("queue.size"), unit, &self.processor, |snapshot| {
                vec![(snapshot.queue_size, Vec::new())]
            });
            self.up_down(meter, name("queue.capacity"), unit, &self.processor, |snapshot| {
                vec![(snapshot.queue_capacity, Vec::new())]
            });
            self.counter(meter, name("processed"), unit, &self.processor, |snapshot| {
                let errors = snapshot.not_taken.iter().filter(|(why, _)| why.is_loss());
                let errors = errors.map(|(why, items)| (*items, vec![error(why.as_str())]));
                [(snapshot.processed, Vec::new())].into_iter().chain(errors).collect()
            });
        }
        let name = |name: &str| format!("otel.sdk.exporter.{items}.{name}");
        self.up_down(meter, name("inflight"), unit, &self.exporter, |snapshot| {
            vec![(snapshot.in_flight, Vec::new())]
        });
        self.counter(meter, name("exported"), unit, &self.exporter, |snapshot| {
            let errors = snapshot.failed.iter().map(|(why, items)| (*items, vec![error(why)]));
            [(snapshot.exported, Vec::new())].into_iter().chain(errors).collect()
        });
    }

    /// What is observed now: nothing of a signal that was not used.
    fn read(&self, read: fn(&SignalSnapshot) -> Readings) -> Readings {
        let inner = self.inner.upgrade();
        let snapshot = inner.and_then(|inner| SignalSnapshot::of(inner.outlet(self.signal)));
        snapshot.map_or_else(Vec::new, |snapshot| read(&snapshot))
    }

    fn counter(
        &self,
        meter: &Meter,
        name: String,
        unit: &'static str,
        component: &[KeyValue],
        read: fn(&SignalSnapshot) -> Readings,
    ) {
        let (source, component) = (self.clone(), component.to_vec());
        let counter = meter.u64_observable_counter(name).with_unit(unit).with_callback(move |out| {
            for (value, attributes) in source.read(read) {
                out.observe(value, &[&component[..], &attributes].concat());
            }
        });
        // The meter keeps it.
        let _ = counter.build();
    }

    fn up_down(
        &self,
        meter: &Meter,
        name: String,
        unit: &'static str,
        component: &[KeyValue],
        read: fn(&SignalSnapshot) -> Readings,
    ) {
        let (source, component) = (self.clone(), component.to_vec());
        let counter = meter.i64_observable_up_down_counter(name).with_unit(unit).with_callback(move |out| {
            for (value, attributes) in source.read(read) {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                out.observe(value, &[&component[..], &attributes].concat());
            }
        });
        // The meter keeps it.
        let _ = counter.build();
    }
}

fn error(kind: &'static str) -> KeyValue {
    KeyValue::new("error.type", kind)
}

/// The items of a signal, as the conventions call them in names.
fn items_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "span",
        Signal::Metrics => "metric_data_point",
        _ => "log",
    }
}

fn unit_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "{span}",
        Signal::Metrics => "{data_point}",
        _ => "{log_record}",
    }
}
