//! Whose turn it is: several requests, asked over the same connections for some milliseconds each.
//!
//! What else a machine does changes its speed by more, from one second to the next, than a change worth measuring
//! does; and one process is faster than its twin. Requests that take turns of milliseconds within one process meet
//! the same machine. A turn is so many requests of one side, and the next begins when the last of them is answered; its
//! time counts from when the first of them are, for these pay for what another side left in the machine's caches. Every
//! other round goes through the sides backwards: each comes as often before another as after it.

use std::time::{Duration, Instant};

/// How long a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TurnLength {
    /// All of it; at least one.
    pub(crate) requests: u64,
    /// Of those, the first, whose time does not count; fewer than all.
    pub(crate) warm_up: u64,
}

/// Goes through the sides, round by round.
#[derive(Debug)]
pub(crate) struct Turns {
    sides: usize,
    length: TurnLength,
    /// Since when the turn's time counts.
    began: Instant,
    answered: u64,
    took: Vec<Duration>,
}

impl Turns {
    /// The first turn begins now.
    pub(crate) fn begin(sides: usize, length: TurnLength, now: Instant) -> Self {
        Self { sides: sides.max(1), length, began: now, answered: 0, took: Vec::new() }
    }

    /// Of which side the request of this index is.
    pub(crate) fn side_of(&self, index: u64) -> usize {
        self.side_of_turn(usize::try_from(index / self.length.requests).unwrap_or(usize::MAX))
    }

    /// Counts an answer, or a request that failed; says whether the next turn begins with it.
    pub(crate) fn add_answer(&mut self, now: Instant) -> bool {
        self.answered += 1;
        let of_turn = self.answered % self.length.requests;
        if of_turn == 0 {
            self.took.push(now.saturating_duration_since(self.began));
        }
        if of_turn == self.length.warm_up {
            self.began = now;
        }
        of_turn == 0
    }

    /// How long the turn of each side took, for every round that is whole; in the order of the sides.
    pub(crate) fn rounds(&self) -> Vec<Vec<Duration>> {
        let mut rounds: Vec<Vec<Duration>> = self.took.chunks_exact(self.sides).map(<[_]>::to_vec).collect();
        rounds.iter_mut().skip(1).step_by(2).for_each(|round| round.reverse());
        rounds
    }

    /// How many requests a turn lets through.
    pub(crate) fn permits(&self) -> usize {
        usize::try_from(self.length.requests).unwrap_or(usize::MAX)
    }

    fn side_of_turn(&self, turn: usize) -> usize {
        let (round, place) = (turn / self.sides, turn % self.sides);
        if round.is_multiple_of(2) { place } else { self.sides - 1 - place }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail by panicking

    use super::*;

    const STEP: Duration = Duration::from_millis(1);

    fn length(requests: u64, warm_up: u64) -> TurnLength {
        TurnLength { requests, warm_up }
    }

    #[test]
    fn sides_follow_one_another_and_every_other_round_is_backwards() {
        let turns = Turns::begin(3, length(2, 0), Instant::now());
        let sides: Vec<usize> = (0..14).map(|index| turns.side_of(index)).collect();
        assert_eq!(sides, [0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_turn_takes_from_the_last_answer_before_it_to_its_own_last() {
        let start = Instant::now();
        let mut turns = Turns::begin(2, length(2, 0), start);
        let over: Vec<bool> =
            (1..10).map(|answer| turns.add_answer(start + answer * answer * STEP)).collect();
        assert_eq!(over, [false, true, false, true, false, true, false, true, false]);
        // Answers two to eight end turns at 4, 16, 36 and 64: the second round is told in the sides' order.
        assert_eq!(turns.rounds(), [vec![4 * STEP, 12 * STEP], vec![28 * STEP, 20 * STEP]]);
    }

    #[test]
    fn the_first_of_a_turn_do_not_count() {
        let start = Instant::now();
        let mut turns = Turns::begin(1, length(4, 1), start);
        for answer in 1..=8 {
            turns.add_answer(start + answer * answer * STEP);
        }
        // From the first answer, at 1, to the fourth, at 16; from the fifth, at 25, to the eighth, at 64.
        assert_eq!(turns.rounds(), [[15 * STEP], [39 * STEP]]);
    }

    #[test]
    fn a_round_that_is_not_whole_is_not_told() {
        let start = Instant::now();
        let mut turns = Turns::begin(2, length(1, 0), start);
        for answer in 1..=3 {
            assert!(turns.add_answer(start + answer * STEP));
        }
        assert_eq!(turns.rounds().len(), 1);
    }
}
