//! Tasks, lanes and workers.

use std::collections::BTreeMap;

use chotdon_domain::task::{Lane, TaskState as State};
use chotdon_store::read::{QueueRecord, TaskRecord, TaskStory};
use chotdon_store::service_of;

use super::rfc3339;
use crate::http::admin::state::WorkerGlance;
use crate::views::{
    AttemptRow, ErrorText, LaneRow, Progress, Queue, QueueCounts, StageRow, TaskDetail, TaskRow, TaskState,
    WorkerRow,
};

/// What the pool knows and the database does not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crew {
    /// The workers.
    pub(crate) workers: Vec<WorkerGlance>,
    /// Progress by task.
    pub(crate) progress: BTreeMap<i64, Progress>,
    /// Tasks of each lane that may run at once: course, order, owner.
    pub(crate) limits: [i64; Lane::COUNT],
    /// Finished tasks of each lane in the last full minute.
    pub(crate) per_minute: [i64; Lane::COUNT],
    /// Late results refused since the start.
    pub(crate) stale_refused: i64,
}

/// One line of the task list.
pub(crate) fn task_row(task: &TaskRecord, progress: Option<&Progress>) -> TaskRow {
    let error = task.err_code.as_ref().filter(|_| task.state != State::Done).map(|code| ErrorText {
        code: code.clone(),
        class: task.err_class.clone().unwrap_or_else(|| "permanent".to_owned()),
        detail: task.err_detail.clone().unwrap_or_default(),
    });
    let timed = task.state == State::Scheduled && task.waits_on.is_none();
    TaskRow {
        id: task.id,
        kind: task.kind.as_str().to_owned(),
        lane: task.lane.as_str().to_owned(),
        state: state(task.state),
        stage: task.stage.clone(),
        attempt: task.attempt,
        max_attempt: task.max_attempt,
        vip: task.prio < 2 && task.lane == Lane::Order,
        order: task.order_code.clone(),
        course: task.course_title.clone(),
        waiting_for_course: task.waits_on.as_deref().is_some_and(|on| service_of(on).is_none()),
        waiting_for: task.waits_on.as_deref().and_then(service_of).map(str::to_owned),
        run_at: timed.then(|| rfc3339(task.run_at)),
        created_at: rfc3339(task.created_at),
        started_at: task.started_at.map(rfc3339),
        finished_at: task.finished_at.map(rfc3339),
        error,
        progress: progress.filter(|_| task.state == State::Running).cloned(),
    }
}

/// Everything about one task.
pub(crate) fn task_detail(story: &TaskStory, progress: Option<&Progress>) -> TaskDetail {
    let task = &story.task;
    let attempts = story.attempts.iter().map(|attempt| AttemptRow {
        stage: attempt.stage.clone(),
        started_at: rfc3339(attempt.started),
        ended_at: rfc3339(attempt.ended),
        error: ErrorText {
            code: attempt.err_code.clone(),
            class: attempt.err_class.clone(),
            detail: attempt.detail.clone(),
        },
    });
    TaskDetail {
        task: task_row(task, progress),
        stages: stages(story),
        attempts: attempts.collect(),
        waiting_orders: story.waiting,
        lease_epoch: task.lease_epoch,
        dedupe_key: task.dedupe_key.clone(),
        actions: actions(task),
    }
}

fn stages(story: &TaskStory) -> Vec<StageRow> {
    let task = &story.task;
    let row = |stage: &str| {
        let ended = story.stages.iter().find(|done| done.stage == stage).map(|done| done.ended);
        let done = ended.is_some() || task.state == State::Done;
        let current = !done && stage == task.stage;
        let state = if done {
            "done"
        } else if current {
            "current"
        } else {
            "next"
        };
        StageRow { stage: stage.to_owned(), state: state.to_owned(), ended_at: ended.map(rfc3339) }
    };
    task.kind.stages().iter().map(|stage| row(stage)).collect()
}

/// What the store will accept for this task now.
fn actions(task: &TaskRecord) -> Vec<String> {
    let waits = task.waits_on.is_some();
    let actions: &[&str] = match task.state {
        State::Failed => &["retry", "cancel"],
        State::Cancelled => &["retry"],
        State::Scheduled if waits => &["cancel", "priority"],
        State::Scheduled => &["run_now", "cancel", "priority"],
        State::Ready => &["cancel", "priority"],
        State::Running => &["cancel"],
        State::Done => &[],
    };
    actions.iter().map(|action| (*action).to_owned()).collect()
}

/// The queue in five numbers.
pub(crate) fn queue_counts(queue: &QueueRecord, crew: &Crew, now: i64) -> QueueCounts {
    let count = |busy: bool| crew.workers.iter().filter(|worker| !busy || worker.task.is_some()).count();
    QueueCounts {
        queued: queue.queued(),
        running: queue.running(),
        retrying: queue.retrying,
        failed: queue.failed(),
        oldest_wait_ms: queue.oldest_wait_ms(now),
        workers: i64::try_from(count(false)).unwrap_or(i64::MAX),
        busy: i64::try_from(count(true)).unwrap_or(i64::MAX),
        paused: queue.paused(),
    }
}

/// Lanes and workers. `tasks` are those the workers hold.
pub(crate) fn queue(queue: &QueueRecord, tasks: &[TaskRecord], crew: &Crew, now: i64) -> Queue {
    let lanes = queue.lanes.iter().map(|lane| {
        let at = Lane::ALL.iter().position(|known| *known == lane.lane).unwrap_or(0);
        LaneRow {
            name: lane.lane.as_str().to_owned(),
            ready: lane.ready,
            running: lane.running,
            scheduled: lane.scheduled,
            failed: lane.failed,
            limit: crew.limits[at],
            oldest_wait_ms: lane.oldest_due_at.map_or(0, |due| now.saturating_sub(due).max(0)),
            per_minute: crew.per_minute[at],
            paused_at: lane.paused_at.map(rfc3339),
            resumes_at: lane.until.filter(|_| lane.paused_at.is_some()).map(rfc3339),
            reason: lane.reason.clone(),
        }
    });
    let workers = crew.workers.iter().map(|worker| {
        let task = worker.task.and_then(|id| tasks.iter().find(|task| task.id == id));
        let state = match (worker.task, worker.hung) {
            (_, true) => "hung",
            (Some(_), false) => "busy",
            (None, false) => "idle",
        };
        WorkerRow {
            id: worker.id,
            state: state.to_owned(),
            task: task.map(|task| task_row(task, crew.progress.get(&task.id))),
            started_at: worker.started_at.map(rfc3339),
            seen_at: rfc3339(worker.seen_at),
            restarts: worker.restarts,
        }
    });
    Queue {
        counts: queue_counts(queue, crew, now),
        lanes: lanes.collect(),
        workers: workers.collect(),
        stale_refused: crew.stale_refused,
    }
}

fn state(state: State) -> TaskState {
    match state {
        State::Scheduled => TaskState::Scheduled,
        State::Ready => TaskState::Ready,
        State::Running => TaskState::Running,
        State::Done => TaskState::Done,
        State::Failed => TaskState::Failed,
        State::Cancelled => TaskState::Cancelled,
    }
}
