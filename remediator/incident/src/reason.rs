//! Why: the closed list behind every decision.

use std::fmt;

macro_rules! reasons {
    ($(#[doc = $doc:literal] $name:ident = $text:literal,)+) => {
        /// Why the core did, or did not do, something. The same text is metric label, log field, timeline entry and test assertion.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $doc] $name,)+
        }

        impl Reason {
            /// Every reason there is, for metrics that must exist before they are first counted.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The reason's one spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// The reason that is spelled so, if one is.
            #[must_use]
            pub fn named(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => $doc.trim_ascii(),)+
                }
            }
        }
    };
}

reasons! {
    /// An alert of the runbook fires for this target.
    AlertFiring = "alert_firing",
    /// The same alert was already known; nothing changes.
    Duplicate = "duplicate",
    /// The alert stopped firing.
    AlertResolved = "alert_resolved",
    /// Alertmanager does not list the alert, although no message said that it was resolved.
    ResolvedUnheard = "resolved_unheard",
    /// No runbook answers this alert.
    NoRunbook = "no_runbook",
    /// The alert lacks the label that names the target; an empty target never means "all".
    TargetMissing = "target_missing",
    /// Another incident has the alert from now on.
    AnsweredElsewhere = "answered_elsewhere",
    /// The alert that always fires does not come any more, so faults may go unheard.
    WatchdogSilent = "watchdog_silent",
    /// Prometheus does not answer any more, so faults may go unheard.
    PrometheusSilent = "prometheus_silent",
    /// Alertmanager does not answer any more, so faults may go unheard.
    AlertmanagerSilent = "alertmanager_silent",
    /// A sign of life of those by whom faults are heard of.
    Alive = "alive",
    /// Nothing that exists has the name of the alert's target, so no step is run for it.
    UnknownTarget = "unknown_target",
    /// Whether the alert's target exists cannot be told yet; no step is run before.
    TargetUnverified = "target_unverified",
    /// The alert is silenced, inhibited or muted in Alertmanager.
    Suppressed = "suppressed",
    /// Alertmanager lists the alert, but has delivered nothing about it, and cannot be known to mean to.
    NotDelivered = "not_delivered",
    /// The message ends an earlier firing of the alert, which has begun again since.
    EarlierEpisode = "earlier_episode",
    /// A limit on open incidents or on alerts of one incident is reached.
    LimitReached = "limit_reached",
    /// The incident is being closed; the alert opens another one after that.
    Closing = "closing",
    /// Nothing here is called that, or it is closed.
    UnknownIncident = "unknown_incident",
    /// The result belongs to an attempt, question or page that is over.
    Stale = "stale",
    /// The next step is due.
    NextStep = "next_step",
    /// The step ended with exit code 0.
    StepOk = "step_ok",
    /// The step ended with another exit code, or could not be started.
    StepFailed = "step_failed",
    /// The step ran longer than its timeout and was killed.
    StepTimeout = "step_timeout",
    /// The step was started, but how it ended is not known.
    OutcomeUnknown = "outcome_unknown",
    /// The step's process was not let go before the remediator ended, so nothing of it has run; the step is due again.
    NotRun = "not_run",
    /// The step's condition is false.
    ConditionFalse = "condition_false",
    /// The step's condition could not be decided; an error is never a yes.
    ConditionError = "condition_error",
    /// The target is healthy, so no change is needed.
    Healthy = "healthy",
    /// The target is not healthy.
    Unhealthy = "sick",
    /// Whether the target is healthy cannot be told; no change is made.
    HealthUnknown = "health_unknown",
    /// The last change is still given time to work.
    Settling = "settling",
    /// The change ran before and is not repeatable.
    AlreadyRan = "already_ran",
    /// The step has used up its attempts in this incident.
    AttemptsUsed = "attempts_used",
    /// An earlier change failed, and it says to stop then.
    EarlierFailed = "earlier_failed",
    /// An incident that can be the cause of this one is open for the same target.
    CauseOpen = "cause_open",
    /// Too many targets are sick at once: a systemic fault is not repaired target by target.
    Systemic = "systemic",
    /// Another change holds the lock or the target, or as many changes run as are allowed.
    LockBusy = "lock_busy",
    /// As many changes were made in the last hour as are allowed.
    BudgetSpent = "budget_spent",
    /// As many of this runbook's changes were made in the last hour as it allows.
    RunbookBudgetSpent = "runbook_budget_spent",
    /// All new actions are paused.
    Paused = "paused",
    /// A maintenance window is open.
    Maintenance = "maintenance",
    /// A person holds this incident.
    Held = "held",
    /// A person released the hold.
    Released = "released",
    /// Shadow mode: this would have run.
    Shadow = "shadow",
    /// The change waits for a person's approval.
    ApprovalNeeded = "approval_needed",
    /// The change helped too seldom lately, so it waits for a person's approval.
    EfficacyLow = "efficacy_low",
    /// A person approved the change.
    Approved = "approved",
    /// Nobody approved the change in time.
    ApprovalExpired = "approval_expired",
    /// This is not a change that waits for approval.
    NothingToApprove = "nothing_to_approve",
    /// All steps are done and the target is still not healthy.
    Exhausted = "exhausted",
    /// The trouble came back too often in one incident.
    Flapping = "flapping",
    /// The trouble came back before the incident was closed.
    Relapse = "relapse",
    /// The trouble came back soon after its incident was closed.
    Returned = "returned",
    /// The runbook is not in the configuration any more; the incident is left to people.
    RunbookGone = "runbook_gone",
    /// Nobody had it in hand within the runbook's response time.
    ResponseTime = "response_time",
    /// The runbook's escalation timer ran out.
    EscalationTimer = "escalation_timer",
    /// The level before did not acknowledge within its response time.
    NoAcknowledgement = "no_acknowledgement",
    /// The last level is called again.
    Repeated = "repeated",
    /// No channel takes the page. It is tried until one does; meanwhile the next level that another channel leads to is called.
    Undeliverable = "undeliverable",
    /// Every channel that leads to whoever is due fails, so nobody else is called until one takes messages.
    NoOtherChannel = "no_other_channel",
    /// The channel takes no messages.
    ChannelFailing = "channel_failing",
    /// The channel takes messages again.
    ChannelWorking = "channel_working",
    /// The page was delivered.
    Delivered = "delivered",
    /// People were called about the same within the hour.
    AlreadyPaged = "already_paged",
    /// A person has the incident in hand.
    Acknowledged = "acknowledged",
    /// An acknowledgement ran out and the target is still not healthy.
    AcknowledgementExpired = "acknowledgement_expired",
    /// The target is healthy, yet the alert goes on firing.
    AlertStillFiring = "alert_still_firing",
    /// The target has been healthy for as long as the runbook asks.
    Stabilised = "stabilised",
    /// The time of watching after the repair is over.
    Monitored = "monitored",
    /// A temporary measure is taken back.
    Restoring = "restoring",
    /// Taking a temporary measure back hurt, so it was put in place again.
    RestoreHurt = "restore_hurt",
    /// A person ended what the remediator does; while an alert fires, the incident is left to people.
    Aborted = "aborted",
    /// A person wrote something down.
    Noted = "noted",
    /// All new actions may run again.
    Resumed = "resumed",
    /// The schedule's time has come.
    Scheduled = "scheduled",
    /// The schedule's time passed more than a day ago while nobody looked, so it is left out.
    Missed = "missed",
    /// The task of the time before is not done yet, so this time opens no other.
    StillOpen = "still_open",
    /// Something else went on for as long as the task could wait, so it is a person's.
    TaskBlocked = "blocked",
    /// The task was not done by the time that it was due.
    Overdue = "overdue",
    /// A person did the task.
    Done = "done",
    /// There is no such task, or it is done.
    UnknownTask = "unknown_task",
    /// The task's programs are running.
    TaskRunning = "task_running",
    /// The program was started again.
    Restarted = "restarted",
    /// What was written last lies in the future, so the clock was ahead then or is behind now: time goes on from the clock.
    ClockSteppedBack = "clock_stepped_back",
    /// The program was stopped for long, or the clock was set forward: no timer counts that time.
    TimeNotCounted = "time_not_counted",
    /// What could be read of a damaged journal is in this one.
    Salvaged = "salvaged",
    /// What the journal has of it cannot be read, so nothing is done about it, and it is left to people.
    Unreadable = "unreadable",
    /// The journal cannot be used: nothing is repaired, and people are called at once.
    PeopleOnly = "people_only",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
