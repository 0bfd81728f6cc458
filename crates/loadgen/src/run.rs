//! A run: connect, start the workers, wait for the end, report.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::{task::JoinSet, time::MissedTickBehavior};

use crate::{
    client::Client,
    cost::ThreadCost,
    options::Plan,
    pace::Pace,
    report::{self, Circumstances},
    stop::{self, StoppedBy},
    tally::{Moments, Tally},
};

const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// What the workers share. The lock is never contended: there is one thread.
struct Shared {
    plan: Arc<Plan>,
    pace: Arc<Pace>,
    /// One for each side.
    tallies: Mutex<Vec<Tally>>,
}

impl Shared {
    fn tallies(&self) -> MutexGuard<'_, Vec<Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what the plan says; the report, or why there is none.
pub(crate) async fn run(plan: Plan) -> Result<serde_json::Value, String> {
    let plan = Arc::new(plan);
    let clients = Client::connect_all(&plan).await?;
    let (started_at, cost_before) = (SystemTime::now(), ThreadCost::now());
    let pace = Pace::begin(plan.requests, plan.pace())?;
    let tallies = plan.sides.iter().map(|_| Tally::new(&plan, pace.start())).collect::<Result<_, _>>()?;
    let shared = Arc::new(Shared { pace, tallies: Mutex::new(tallies), plan: Arc::clone(&plan) });

    let mut workers = JoinSet::new();
    for client in clients {
        workers.spawn(work(client, Arc::clone(&shared)));
    }
    let progress = plan.progress.then(|| tokio::spawn(show_progress(Arc::clone(&shared))));
    let stopped_by = tokio::select! {
        reason = stop::wait(plan.duration, plan.until_stdin_closes) => reason?,
        finished = finish(&mut workers) => finished.map(|()| StoppedBy::Requests)?,
    };
    let unsent = shared.pace.stop();
    finish(&mut workers).await?;
    if let Some(progress) = progress {
        progress.abort();
    }

    let cost = ThreadCost::now().zip(cost_before).map(|(after, before)| after.since(before));
    let mut tallies = shared.tallies();
    tallies.iter_mut().try_for_each(Tally::finish)?;
    let circumstances = Circumstances { started_at, stopped_by, unsent, cost };
    Ok(report::report(&plan, &tallies, shared.pace.rounds(), circumstances))
}

async fn work(mut client: Client, shared: Arc<Shared>) -> Result<(), String> {
    while let Some(due) = shared.pace.next().await {
        let question = shared.plan.sides.get(due.side).map_or(0, |side| side.question(due.index));
        let sent = Instant::now();
        let outcome = client.call(question, shared.plan.timeout).await;
        let done = Instant::now();
        if let Some(tally) = shared.tallies().get_mut(due.side) {
            tally.add(Moments { due: due.at, sent, done }, &outcome)?;
        }
        shared.pace.add_answer(done);
    }
    Ok(())
}

/// Waits for the workers; the first reason for which one gave up ends the run.
async fn finish(workers: &mut JoinSet<Result<(), String>>) -> Result<(), String> {
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|error| format!("a worker died: {error}"))??;
    }
    Ok(())
}

async fn show_progress(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut before = 0;
    loop {
        ticks.tick().await;
        let (ok, failed, elapsed) = {
            let tallies = shared.tallies();
            let sum = |count: fn(&Tally) -> u64| tallies.iter().map(count).sum::<u64>();
            let elapsed = tallies.iter().map(|tally| tally.elapsed).max().unwrap_or_default();
            (sum(|tally| tally.ok), sum(|tally| tally.failed), elapsed)
        };
        eprintln!("{:5.0} s  {ok} ok (+{})  {failed} failed", elapsed.as_secs_f64(), ok - before);
        before = ok;
    }
}
