//! The answer to one call.

use super::Answer;
use crate::http2::Call;
use crate::outcome::Outcome;

/// Sends the rest of the body and reads the answer, which may have `limit` bytes.
pub(super) async fn exchange(call: &mut Call<'_>, limit: usize) -> (Outcome, Option<String>) {
    read(call, limit).await.unwrap_or_else(|outcome| (outcome, None))
}

async fn read(call: &mut Call<'_>, limit: usize) -> Result<(Outcome, Option<String>), Outcome> {
    let head = call.head().await?;
    let mut answer = Answer::new(head.status, head.headers, limit);
    if let Some(outcome) = answer.decided_by_head() {
        return Err(outcome);
    }
    while let Some(data) = call.data().await? {
        answer.push(data)?;
    }
    Ok(answer.finish(call.trailers().await?))
}
