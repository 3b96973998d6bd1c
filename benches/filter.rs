//! The documented filters parse in under 100 µs each; parsing is linear in the length of the text.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use entra_assets::filter::odata::{MAX_LENGTH, parse};
use entra_assets::filter::{EntityKind, eval};
use std::hint::black_box;

const EXAMPLES: &[(EntityKind, &str)] = &[
    (EntityKind::Users, "accountEnabled eq true"),
    (EntityKind::Users, "country in ('Ecuador', 'India', 'Germany')"),
    (EntityKind::Users, "accountEnabled eq true and userType eq 'Member'"),
    (EntityKind::Users, "assignedLicenses/any(s:s/skuId eq c42b9cae-ea4f-4ab7-9717-81576235ccac)"),
    (EntityKind::Users, "companyName ne null and NOT(companyName eq 'Microsoft')"),
    (EntityKind::Users, "endsWith(mail,'@organization.com')"),
    (EntityKind::Groups, "groupTypes/any(c:c+eq+'Unified')"),
    (EntityKind::Groups, "startswith(displayName, 'team')"),
];

fn examples(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("documented");
    for (kind, text) in EXAMPLES {
        group.bench_function(*text, |bencher| bencher.iter(|| parse(*kind, black_box(text))));
    }
    group.finish();
}

/// A filter of about so many bytes.
type Shape = fn(usize) -> String;

fn lengths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("length");
    let shapes: [(&str, Shape); 3] = [("or", disjunction), ("list", list), ("nested", nested)];
    for (name, text) in shapes {
        for kilobytes in [1, 2, 4, 8] {
            let text = text(kilobytes * 1024);
            assert!(text.len() <= MAX_LENGTH && parse(EntityKind::Users, &text).is_ok(), "{name}");
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, format!("{kilobytes} kB")), &text, |bencher, text| {
                bencher.iter(|| parse(EntityKind::Users, black_box(text)))
            });
        }
    }
    group.finish();
}

fn disjunction(length: usize) -> String {
    let clause = "department eq 'Engineering 0001' and accountEnabled eq true";
    vec![clause; (length - clause.len()) / (clause.len() + 4) + 1].join(" or ")
}

fn list(length: usize) -> String {
    let values = (0..).map(|n| format!("'{n:06}'")).take((length - 14) / 9).collect::<Vec<_>>().join(",");
    format!("country in ({values})")
}

/// Groups of 60 levels, one after the other.
fn nested(length: usize) -> String {
    let clause = format!("{}city eq 'a'{}", "(".repeat(60), ")".repeat(60));
    vec![clause.as_str(); (length - clause.len()) / (clause.len() + 5) + 1].join(" and ")
}

fn evaluation(criterion: &mut Criterion) {
    let filter = "accountEnabled eq true and (department eq 'Engineering' or startswith(mail,'team'))";
    let parsed = parse(EntityKind::Users, filter).expect("a valid filter");
    let user = serde_json::json!({"accountEnabled": true, "department": "Sales", "mail": "someone@contoso.com"});
    let user = user.as_object().expect("an object");
    criterion.bench_function("evaluate", |bencher| bencher.iter(|| eval::matches(&parsed.expression, black_box(user))));
}

criterion_group!(benches, examples, lengths, evaluation);
criterion_main!(benches);
