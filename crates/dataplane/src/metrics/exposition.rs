//! Metrics as Prometheus reads them, in the layout of TensorFlow Serving's own page: no help texts, names with
//! colons, braces also where there are no labels.

use super::{Family, Kind, Series, Value};
use crate::histogram::HistogramSnapshot;
use std::fmt::Write;

/// C's `%g` writes six significant digits; a larger exponent than this, or a smaller one than the other, apart.
const LARGEST_EXPONENT: i32 = 5;
const SMALLEST_EXPONENT: i32 = -4;

/// The page of these metrics.
#[must_use]
pub fn write(families: &[Family]) -> String {
    let mut page = String::new();
    for family in families {
        let name = metric_name(family.name);
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        add(&mut page, format_args!("# TYPE {name} {kind}\n"));
        for series in &family.series {
            write_series(&mut page, &name, family.labels, series);
        }
    }
    page
}

fn write_series(page: &mut String, name: &str, names: &[&str], series: &Series) {
    let labels = label_pairs(names, &series.labels);
    match &series.value {
        Value::Count(count) => add(page, format_args!("{name}{{{labels}}} {count}\n")),
        Value::Histogram(histogram) => write_histogram(page, name, &labels, histogram),
    }
}

/// The sum is written whole; TensorFlow Serving rounds it to six digits, which makes rates of large sums useless.
fn write_histogram(page: &mut String, name: &str, labels: &str, histogram: &HistogramSnapshot) {
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound, count) in histogram.cumulative() {
        add(page, format_args!("{name}_bucket{{{labels}{comma}le=\"{}\"}} {count}\n", bound_text(bound)));
    }
    add(page, format_args!("{name}_sum{{{labels}}} {}\n", histogram.sum));
    add(page, format_args!("{name}_count{{{labels}}} {}\n", histogram.count()));
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text); // a string takes everything
}

fn metric_name(name: &str) -> String {
    sanitized(name, |character| character.is_ascii_alphanumeric() || character == '_', ':')
}

fn label_name(name: &str) -> String {
    sanitized(name, |character| character.is_ascii_alphanumeric(), '_')
}

fn sanitized(name: &str, fits: impl Fn(char) -> bool, instead: char) -> String {
    let mut text: String =
        name.chars().map(|character| if fits(character) { character } else { instead }).collect();
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        text.insert(0, '_');
    }
    text
}

fn label_pairs(names: &[&str], values: &[String]) -> String {
    let mut text = String::new();
    for (name, value) in names.iter().zip(values) {
        let comma = if text.is_empty() { "" } else { "," };
        add(&mut text, format_args!("{comma}{}=\"{}\"", label_name(name), label_value(value)));
    }
    text
}

/// A line's end is escaped, too, which TensorFlow Serving forgets: one model's name would make the page unreadable.
fn label_value(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// A bound as C's `%g` writes it, so that series have the labels that dashboards know.
fn bound_text(bound: f64) -> String {
    if bound.is_infinite() {
        return "+Inf".to_owned();
    }
    let scientific = format!("{bound:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match usize::try_from(LARGEST_EXPONENT - exponent) {
        Ok(decimals) if exponent >= SMALLEST_EXPONENT => trimmed(&format!("{bound:.decimals$}")).to_owned(),
        _ => format!("{}e{exponent:+03}", trimmed(digits)),
    }
}

/// Without the zeros that say nothing.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::ExponentialHistogram;

    fn series(labels: &[&str], value: Value) -> Series {
        Series { labels: labels.iter().map(|label| (*label).to_owned()).collect(), value }
    }

    fn counter(name: &'static str, labels: &'static [&'static str], values: &[&str]) -> String {
        let series = vec![series(values, Value::Count(2))];
        write(&[Family { name, kind: Kind::Counter, labels, series }])
    }

    /// TensorFlow Serving's own tests of its page say the same of these names.
    #[test]
    fn names_and_values_become_what_prometheus_takes() {
        let cases = [
            (counter("/test/path/total", &["name"], &["abc"]), ":test:path:total{name=\"abc\"} 2\n"),
            (
                counter("/test/path/total", &["name"], &["\"abc\\\""]),
                ":test:path:total{name=\"\\\"abc\\\\\\\"\"} 2\n",
            ),
            (
                counter("/test/path/total", &["my-name+1"], &["abc"]),
                ":test:path:total{my_name_1=\"abc\"} 2\n",
            ),
            (counter("0/path-total_count", &["name"], &["abc"]), "_0:path:total_count{name=\"abc\"} 2\n"),
            (counter("/bare", &[], &[]), ":bare{} 2\n"),
            (counter("/two", &["x", "2"], &["a\nb", ""]), ":two{x=\"a\\nb\",_2=\"\"} 2\n"),
        ];
        for (page, line) in cases {
            assert_eq!(page.split_once('\n').map(|(_, rest)| rest), Some(line));
        }
        assert!(counter("/bare", &[], &[]).starts_with("# TYPE :bare counter\n"));
    }

    #[test]
    fn a_histogram_is_cumulative_and_ends_with_sum_and_count() {
        let histogram = ExponentialHistogram::new(1.0, 2.0, 2);
        for value in [0.0, 2.0, 1_234_567.0] {
            histogram.record(value);
        }
        let family = |labels, values: &[&str]| Family {
            name: "/h",
            kind: Kind::Histogram,
            labels,
            series: vec![series(values, Value::Histogram(histogram.snapshot()))],
        };
        let labelled = "# TYPE :h histogram\n\
            :h_bucket{status=\"good\",le=\"1\"} 1\n\
            :h_bucket{status=\"good\",le=\"2\"} 1\n\
            :h_bucket{status=\"good\",le=\"+Inf\"} 3\n\
            :h_sum{status=\"good\"} 1234569\n\
            :h_count{status=\"good\"} 3\n";
        assert_eq!(write(&[family(&["status"], &["good"])]), labelled);
        let bare = write(&[family(&[], &[])]);
        assert!(bare.contains(":h_bucket{le=\"2\"} 1\n") && bare.contains(":h_sum{} 1234569\n"), "{bare}");
    }

    #[test]
    fn a_metric_without_values_is_announced_all_the_same() {
        let family = Family { name: "/h", kind: Kind::Histogram, labels: &["x"], series: Vec::new() };
        assert_eq!(write(&[family]), "# TYPE :h histogram\n");
    }

    #[test]
    fn bounds_are_written_as_c_writes_them() {
        let histogram = ExponentialHistogram::new(10.0, 1.8, 33).snapshot();
        let texts: Vec<String> = histogram.cumulative().map(|(bound, _)| bound_text(bound)).collect();
        let expected = "10 18 32.4 58.32 104.976 188.957 340.122 612.22 1102 1983.59 3570.47 6426.84 11568.3 20823 \
            37481.3 67466.4 121440 218591 393464 708235 1.27482e+06 2.29468e+06 4.13043e+06 7.43477e+06 \
            1.33826e+07 2.40887e+07 4.33596e+07 7.80473e+07 1.40485e+08 2.52873e+08 4.55172e+08 8.19309e+08 \
            1.47476e+09 +Inf";
        assert_eq!(texts.join(" "), expected);
        for (bound, text) in [(999_999.6, "1e+06"), (0.05, "0.05"), (0.000_012_5, "1.25e-05")] {
            assert_eq!(bound_text(bound), text);
        }
    }
}
