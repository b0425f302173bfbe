//! The table of events.

use super::{
    Event,
    Urgency::{self, Alarm, Count, Look},
};

const fn event(code: &'static str, urgency: Urgency, meaning: &'static str, action: &'static str) -> Event {
    Event {
        code,
        urgency,
        meaning,
        action,
    }
}

/// Every event.
pub const EVENTS: &[Event] = &[
    // The freshness ledger.
    event(
        "database_rewound",
        Alarm,
        "the database is older than the freshness register: somebody has put an old one back. `missed` steps were made up for, `deleted` records taken away again; no login begun before now is completed",
        "if it was you, nothing: say so in the record of the restore. If not, somebody writes your disks: find out who",
    ),
    event(
        "freshness_unknown",
        Alarm,
        "a tenant's freshness register is behind the database, damaged or out of reach. Nothing about the tenant's people is answered (`temporarily_unavailable`)",
        "`code` says why. Put the current register back. Only if it is lost for good: `confirm-freshness`, which may bring removed devices back",
    ),
    event(
        "freshness_confirmed",
        Alarm,
        "an operator has begun a freshness ledger anew; what it had lost is lost",
        "if it was not you, treat it as an intrusion",
    ),
    event(
        "stale_record_ignored",
        Alarm,
        "the database holds a record (`kind`) that was taken back. It was not used",
        "once after a restart: the process died while taking it back. Otherwise somebody put rows back: as `database_rewound`",
    ),
    event(
        "not_hardened",
        Look,
        "a control of the hardening is not in force: `kind` names it, `error` says why",
        "see hardening.md: turned off in the configuration, or the platform does not have it",
    ),
    event(
        "freshness_not_written",
        Look,
        "counters or a shorter form could not be written to the register; they wait",
        "look at the register's disk",
    ),
    event(
        "freshness_settled",
        Look,
        "a process had died between register and database; the database has caught up",
        "nothing, unless it repeats",
    ),
    event(
        "record_not_authentic",
        Alarm,
        "a stored record does not open: changed, or moved from another person, kind, tenant or version. Nothing of it was used",
        "the disk or somebody on it changes records. Keep a copy of the database, restore, and find out who",
    ),
    // Limits and anomalies.
    event(
        "limited",
        Look,
        "a caller was sent away for a while; `limit` names the allowance that was used up",
        "a single one is nothing. Many of one limit: see the anomaly beside it, or raise the allowance in `[limits]`",
    ),
    event(
        "locked_out",
        Look,
        "a device or a person has failed so often that no further attempt is looked at for a while; `limit` says which. The card stays possible",
        "nothing. Many at once: somebody tries devices; see `many_people_one_source`",
    ),
    event(
        "device_counter_replayed",
        Alarm,
        "a device answered with a counter it had shown before: two copies of its key are in use, or an answer was replayed. It was refused",
        "the person should remove the device and bind it anew: ask her when she calls with the `support_code`",
    ),
    event(
        "device_counter_jumped",
        Look,
        "a device's counter jumped far ahead: its key may be used elsewhere",
        "as `device_counter_replayed`, when it repeats",
    ),
    event(
        "many_people_one_source",
        Alarm,
        "from one network, logins of many different people failed within an hour: somebody tries numbers, cards or devices",
        "find the network in front (the log does not name it) and keep it out. The people need nothing: nobody got in",
    ),
    event(
        "one_person_many_sources",
        Look,
        "one person was asked for from many networks within an hour",
        "somebody may have her card or device. If she calls, help her remove devices and revoke the card",
    ),
    event(
        "mass_enrolment",
        Alarm,
        "from one network, devices were bound for many different people within an hour",
        "if it is not your own office enrolling people, keep the network out and have those devices removed",
    ),
    event(
        "statement_anomaly",
        Look,
        "a service's statement changed all of its keys and its return addresses at once",
        "ask the service whether that was it. What people release goes to whoever holds the new keys",
    ),
    // The certificate watcher.
    event(
        "certificate_foreign",
        Alarm,
        "a certificate for our domain with a key that is not registered stands in the transparency log",
        "somebody can pretend to be us. Have it revoked, tell the Federation Master, and look for how it was issued",
    ),
    event(
        "certificate_missing",
        Alarm,
        "our certificate does not stand in the transparency log",
        "the Federation Master will raise the alarm too. Log it, or renew it from an authority that does",
    ),
    event(
        "certificate_key_not_registered",
        Alarm,
        "the configured TLS key is not among the registered ones: it was not taken into use",
        "register the key, wait until the Federation Master knows it, then start again (AF_10110)",
    ),
    event(
        "certificate_feed_unreadable",
        Look,
        "the transparency feed could not be read",
        "until it can, foreign certificates are not noticed here",
    ),
    event(
        "certificates_in_order",
        Count,
        "every logged certificate of our domain has a registered key",
        "nothing",
    ),
    // The service itself.
    event(
        "started",
        Count,
        "serving. `lock` and `operator_excluded` say what guards the keys",
        "nothing",
    ),
    event("stopping", Count, "finishing requests at work", "nothing"),
    event(
        "panicked",
        Alarm,
        "a programming error ended one request; the others go on",
        "report it with the line of `panicked_at` before it",
    ),
    event(
        "panicked_at",
        Alarm,
        "where a programming error happened: `file`, `line`, `column`. Its words are never written, they could quote anything",
        "report it",
    ),
    event(
        "unlisted_event",
        Alarm,
        "something was logged under a code that is not in this list; its fields were dropped",
        "report it",
    ),
    event(
        "housekeeping_failed",
        Look,
        "expired records stay for now",
        "look at the disk",
    ),
    event(
        "commit_unknown",
        Look,
        "the store did not answer in time; it is being asked how the commit ended",
        "look at the disk when it repeats",
    ),
    event(
        "store_refused",
        Look,
        "a commit was not done: full, locked, overloaded",
        "`error` says which",
    ),
    event(
        "store_in_doubt",
        Alarm,
        "a commit ended in an error",
        "look at the disk",
    ),
    event("store_failed", Alarm, "the database misbehaves", "look at the disk"),
    event(
        "key_rollover",
        Look,
        "a key was moved; `role`, `step`",
        "if it was not you, treat it as an intrusion",
    ),
    event(
        "statement_failed",
        Look,
        "the entity statement or the key set could not be signed",
        "`detail` says what",
    ),
    event(
        "challenge_keys_failed",
        Look,
        "the challenge keys could not be answered",
        "`detail` says what",
    ),
    event(
        "account_failed",
        Look,
        "the account could not be shown",
        "`detail` says what",
    ),
    event("person_deleted", Count, "a person was deleted", "nothing"),
    // Ordinary work.
    event(
        "relying_party_verified",
        Count,
        "a service's statement was read and holds",
        "nothing",
    ),
    event(
        "relying_party_refused",
        Count,
        "a service's statement does not hold; `reason`",
        "when it is a service you know: tell it",
    ),
    event("push_refused", Count, "pushed request refused", "nothing"),
    event(
        "authorization_refused",
        Count,
        "authorization endpoint refused",
        "nothing",
    ),
    event(
        "answered_with_error",
        Count,
        "a service was told of an error by redirect",
        "nothing",
    ),
    event(
        "evidence_refused",
        Count,
        "evidence about this service was asked for in a way that is not answered",
        "nothing",
    ),
    event("challenge_refused", Count, "no challenge was issued", "nothing"),
    event("card_refused", Count, "a card's answer was refused", "nothing"),
    event("device_refused", Count, "a device's answer was refused", "nothing"),
    event(
        "authenticated",
        Count,
        "a person proved who she is; `method`, `level`",
        "nothing",
    ),
    event("consent_refused", Count, "the consent step was refused", "nothing"),
    event(
        "code_issued",
        Count,
        "the person released data; a code was issued",
        "nothing",
    ),
    event("token_issued", Count, "a token was issued (A_22323)", "nothing"),
    event("token_refused", Count, "a token request was refused", "nothing"),
    event("device_bound", Count, "a device key was bound", "nothing"),
    event("binding_refused", Count, "a device key was not bound", "nothing"),
    event("account_refused", Count, "a step in the account was refused", "nothing"),
    event("consent_revoked", Count, "a consent was taken back", "nothing"),
    event("device_removed", Count, "a device was removed", "nothing"),
    event("unknown_path", Count, "nothing is served at that address", "nothing"),
    event(
        "wrong_method",
        Count,
        "that address does not answer that method",
        "nothing",
    ),
    event(
        "wrong_content_type",
        Count,
        "the form was sent as something else",
        "nothing",
    ),
    event(
        "body_refused",
        Count,
        "the body was too large or did not arrive",
        "nothing",
    ),
    event("request_timeout", Count, "a request took too long", "nothing"),
    event(
        "transport.request_timeout",
        Count,
        "a request took longer than 30 seconds",
        "nothing",
    ),
    event(
        "transport.accept_failed",
        Look,
        "no file descriptors, or the network is gone",
        "raise the limit of open files; look at the network",
    ),
    event(
        "transport.handshake_failed",
        Count,
        "a handshake failed; not shown at the level the binary logs at",
        "nothing",
    ),
    event(
        "transport.handshake_timeout",
        Count,
        "a handshake took too long; likewise",
        "nothing",
    ),
    event(
        "transport.connection_overdue",
        Count,
        "a connection was closed for its slowness; likewise",
        "nothing",
    ),
];
