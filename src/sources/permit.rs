//! The permission to start something: it is given once every source has passed its preflight.
//!
//! Reading needs none, so that a slow source does not delay the others.

use std::cell::Cell;

use tokio::sync::watch;

/// The preflights of a run.
#[derive(Debug, Default)]
pub struct Preflights {
    /// Those that have not ended.
    left: Cell<usize>,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Pending,
    Granted,
    Refused,
}

impl Preflights {
    /// Adds a source, whose preflight is waited for. It may start something with the permit.
    pub fn register(&self) -> Permit {
        self.left.set(self.left.get() + 1);
        Permit(self.state.subscribe())
    }

    /// A preflight has ended. `refused`: nothing may be started anywhere.
    pub fn ended(&self, refused: bool) {
        self.left.set(self.left.get().saturating_sub(1));
        if refused {
            self.state.send_replace(State::Refused);
        } else if self.left.get() == 0 {
            let grant = |state: &mut State| {
                let is_pending = *state == State::Pending;
                *state = if is_pending { State::Granted } else { *state };
                is_pending
            };
            self.state.send_if_modified(grant);
        }
    }

    /// Resolves when nothing may be started any more.
    pub async fn refused(&self) {
        becomes(&self.state.subscribe(), State::Refused).await;
    }
}

/// Whether a source may start something.
#[derive(Clone, Debug)]
pub struct Permit(watch::Receiver<State>);

impl Permit {
    pub fn is_granted(&self) -> bool {
        *self.0.borrow() == State::Granted
    }

    /// Resolves when something may be started.
    pub async fn granted(&self) {
        becomes(&self.0, State::Granted).await;
    }
}

async fn becomes(state: &watch::Receiver<State>, wanted: State) {
    if state.clone().wait_for(|state| *state == wanted).await.is_err() {
        // The run is over, and the state stays what it is.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Permit, Preflights};

    fn two() -> (Preflights, Permit) {
        let preflights = Preflights::default();
        let permit = preflights.register();
        preflights.register();
        (preflights, permit)
    }

    #[test]
    fn the_last_preflight_gives_the_permit() {
        let (preflights, permit) = two();
        preflights.ended(false);
        assert!(!permit.is_granted());
        preflights.ended(false);
        assert!(permit.is_granted());
    }

    #[test]
    fn one_refusal_is_enough_whichever_comes_last() {
        for order in [[true, false], [false, true]] {
            let (preflights, permit) = two();
            order.iter().for_each(|refused| preflights.ended(*refused));
            assert!(!permit.is_granted(), "{order:?}");
        }
    }
}
