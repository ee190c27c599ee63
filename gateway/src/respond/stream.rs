//! A response's body on its way out, piece by piece, with the request's body still coming in beside
//! it. What ends before its end is cut off: no client shall take half a body for a whole one.

use super::Rest;
use crate::accept::{Broken, ReplyBody};
use crate::account::StreamAccount;
use crate::cells::invocation::Invocation;
use crate::dispatch::{Bad, Coming};
use bytes::Bytes;
use isle_wire::Outcome;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Pieces of a body on their way between cell and client, beside what the window holds.
const PIECES: usize = 2;
/// How long what came before a failure waits for a client that takes nothing. 1 s: one that reads
/// is sooner, and one that does not shall not hold its permits until its connection is given up.
const LINGER: Duration = Duration::from_secs(1);

/// How handing a body on ended.
enum Ended {
    /// With the body's end.
    Whole,
    /// The cell or its function failed, or the request's body was no good.
    Broken(Outcome),
    /// With the client's leaving.
    Left,
}

/// The body that begins with `first`. The cell is credited for what the client has taken.
pub(super) fn body(first: Bytes, rest: Rest, account: Option<StreamAccount>) -> ReplyBody {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let Rest { invocation, coming, admitted } = rest;
        let Some(mut invocation) = invocation else { return };
        let ended = tokio::select! {
            ended = hand_on(first, &mut invocation, &sender) => ended,
            bad = bring_in(coming) => Ended::Broken(match bad {
                Bad::TooLarge => Outcome::RequestTooLarge,
                Bad::Broken | Bad::Late => Outcome::RequestIncomplete,
            }),
        };
        let outcome = match ended {
            Ended::Whole => Outcome::Ok,
            Ended::Left => Outcome::Cancelled,
            Ended::Broken(outcome) => outcome,
        };
        if let Some(account) = account {
            let end = invocation.end();
            account.close(outcome, end.map(|end| end.timing), end.map_or(&Bytes::new(), |end| &end.detail));
        }
        // The cell is told before the client, and room is made for the next request.
        drop((invocation, admitted));
        if let Ended::Broken(_) = ended {
            let _ = sender.send(Err(Broken)).await;
        }
    });
    ReplyBody::Breakable(receiver)
}

async fn hand_on(first: Bytes, invocation: &mut Invocation, sender: &mpsc::Sender<Result<Bytes, Broken>>) -> Ended {
    let mut piece = Ok(Some(first));
    loop {
        match piece {
            Ok(Some(bytes)) => {
                let length = bytes.len();
                if length > 0 {
                    tokio::select! {
                        biased;
                        room = sender.reserve() => match room {
                            Ok(room) => room.send(Ok(bytes)),
                            // The client left; the invocation is dropped and the cell told.
                            Err(_) => return Ended::Left,
                        },
                        () = given_up(invocation) => return broken(invocation).await,
                    }
                    invocation.credit(length);
                }
            }
            Ok(None) => return Ended::Whole,
            Err(_) => return broken(invocation).await,
        }
        piece = tokio::select! {
            next = invocation.body() => next,
            () = sender.closed() => return Ended::Left,
        };
    }
}

/// Resolves some time after the body failed. One that is whole waits for its client.
async fn given_up(invocation: &Invocation) {
    invocation.failed().await;
    sleep(LINGER).await;
}

/// How it failed. What nobody has taken until now is dropped.
async fn broken(invocation: &mut Invocation) -> Ended {
    while let Ok(Some(_)) = invocation.body().await {}
    Ended::Broken(invocation.end().map_or(Outcome::CellDied, |end| end.outcome))
}

/// Resolves only when the request's body turns out to be no good.
async fn bring_in(coming: Option<Coming>) -> Bad {
    if let Some(coming) = coming
        && let Err(bad) = coming.carry().await
    {
        return bad;
    }
    std::future::pending().await
}
