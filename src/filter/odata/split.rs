//! Splits a filter with long lists into several requests; the result is the union of their objects by id.

use super::check::MAX_IN;
use crate::filter::expression::Expression;

/// The most requests that one filter may need.
pub const MAX_REQUESTS: usize = 200;

/// The text of each request. A list or an `or` of more than 15 clauses, alone or within an `and`, is cut into pieces
/// of at most 15; several such lists are combined.
pub(super) fn requests(expression: &Expression) -> Result<Vec<String>, String> {
    let conjuncts = match expression {
        Expression::And(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    let pieces: Vec<Vec<Expression>> = conjuncts.iter().map(cut).collect();
    let count = pieces.iter().try_fold(1usize, |count, pieces| count.checked_mul(pieces.len()));
    let count = count.unwrap_or(usize::MAX);
    if count > MAX_REQUESTS {
        return Err(format!(
            "Graph accepts at most {MAX_IN} values in `in`, so this filter would need {count} requests; at most \
             {MAX_REQUESTS} are allowed. Shorten the lists."
        ));
    }
    if count == 1 {
        return Ok(vec![expression.to_string()]);
    }
    let mut chosen = vec![Vec::with_capacity(pieces.len())];
    for alternatives in &pieces {
        chosen = chosen
            .into_iter()
            .flat_map(|before| {
                alternatives.iter().map(move |piece| {
                    let mut parts: Vec<Expression> = before.clone();
                    parts.push(piece.clone());
                    parts
                })
            })
            .collect();
    }
    Ok(chosen.into_iter().map(|parts| Expression::and(parts).to_string()).collect())
}

fn cut(conjunct: &Expression) -> Vec<Expression> {
    match conjunct {
        Expression::In { path, values } if values.len() > MAX_IN => {
            values.chunks(MAX_IN).map(|values| Expression::In { path: path.clone(), values: values.to_vec() }).collect()
        }
        // Graph rejects too many clauses under `or`, as it rejects long lists.
        Expression::Or(parts) if conjunct.clauses() > MAX_IN => {
            let mut pieces: Vec<(usize, Vec<Expression>)> = Vec::new();
            for part in parts {
                let clauses = part.clauses();
                match pieces.last_mut() {
                    Some((total, piece)) if *total + clauses <= MAX_IN => {
                        *total += clauses;
                        piece.push(part.clone());
                    }
                    _ => pieces.push((clauses, vec![part.clone()])),
                }
            }
            pieces.into_iter().map(|(_, piece)| Expression::or(piece)).collect()
        }
        other => vec![other.clone()],
    }
}
