//! What every store must do, one function a behaviour. Each runs on a database of its own; [`ALL`] names them all.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "these are tests: they fail by panicking"
)]

mod agents;
mod asks;
mod budget;
mod hostile;
mod identity;
mod intake;
mod links;
mod log;
mod record;
mod resting;
mod schemas;
mod sweep;
mod unchanged;
mod unique;
mod work;
mod world;

use std::future::Future;
use std::pin::Pin;

pub use hostile::round_trip;
pub use world::World;

use crate::Store;

/// A behaviour, checked on an empty store.
pub type Case = for<'a> fn(&'a dyn Store) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tables that grow with people or with time. Names of their indexes begin with theirs.
pub const LARGE_TABLES: [&str; 8] =
    ["person", "operation", "log", "upload", "upload_body", "waiting", "idempotency", "unique_value"];

macro_rules! cases {
    ($($module:ident :: $name:ident,)*) => {
        /// Every behaviour by name.
        pub const ALL: &[(&str, Case)] = &[
            $((concat!(stringify!($module), "::", stringify!($name)), |store| Box::pin($module::$name(store))),)*
        ];
    };
}

cases! {
    identity::the_first_start_happens_once,
    identity::applications_are_found_in_their_tenant_only,
    identity::roles_are_granted_once,
    identity::the_audit_is_newest_first,
    identity::jobs_round_trip_and_count_their_versions,
    asks::a_question_is_taken_once_and_answered,
    intake::an_upload_round_trips,
    intake::an_upload_is_stored_with_its_audit,
    intake::a_key_is_answered_as_before_or_refused,
    intake::a_full_bucket_takes_nothing,
    intake::urgent_operations_come_first_but_overtake_nobody,
    intake::bodies_go_when_all_operations_are_final,
    work::merged_persons_round_trip,
    work::a_merge_of_an_older_version_is_refused,
    work::a_merge_leaves_the_link_alone,
    work::a_stale_lease_changes_nothing_but_the_log,
    work::due_persons_come_urgent_first_then_longest_due,
    work::failed_and_waiting_persons_are_retried,
    work::statements_do_not_grow_with_the_batch,
    record::a_report_delivered_twice_is_recorded_once,
    record::a_status_says_why,
    record::final_states_stay,
    record::an_outcome_of_an_older_version_keeps_the_newer_record,
    record::a_linked_manager_wakes_who_waits,
    record::the_sweep_wakes_everyone_who_waits,
    record::counters_sum_up,
    resting::only_who_is_at_rest_is_told,
    resting::a_merge_ends_the_rest_until_its_outcome,
    resting::a_broken_link_ends_the_rest,
    schemas::every_version_is_kept,
    schemas::versions_are_found_by_a_word,
    schemas::a_save_names_what_it_was_made_from,
    schemas::old_versions_go,
    unchanged::an_unchanged_record_costs_a_log_row_and_is_final,
    unchanged::an_unchanged_record_needs_the_lease_and_an_open_operation,
    unchanged::every_change_of_a_job_is_told,
    sweep::a_walk_is_resumed_where_it_stood,
    sweep::a_walk_that_was_paused_or_begun_again_drops_the_slice,
    sweep::a_save_takes_in_the_walk_that_is_under_way,
    sweep::looks_make_due_whom_the_day_changes,
    sweep::who_is_due_for_no_operation_comes_last,
    sweep::a_reevaluation_outlives_what_is_under_way,
    sweep::a_reevaluation_is_not_lost_beside_a_merge,
    sweep::who_must_be_disabled_today_comes_first,
    sweep::statements_do_not_grow_with_the_slice,
    sweep::only_changes_that_can_matter_begin_a_walk,
    links::an_account_belongs_to_one_person,
    links::an_outcome_cannot_link_the_account_of_another,
    links::a_broken_link_is_not_brought_back_by_a_late_outcome,
    links::a_deleted_account_is_not_brought_back_by_a_late_outcome,
    budget::what_exceeds_it_is_held_back,
    budget::what_is_not_used_is_given_back,
    budget::a_grant_outlives_its_node,
    budget::a_late_report_leaves_newer_work_alone,
    budget::those_who_are_held_back_are_released,
    budget::a_changed_budget_is_asked_anew,
    unique::two_persons_never_get_one_value,
    unique::attributes_domains_and_tenants_have_values_of_their_own,
    unique::a_reservation_ends_with_the_account_or_the_failure,
    unique::a_leavers_value_is_given_to_nobody_for_a_while,
    unique::what_the_directory_holds_is_not_offered_for_a_while,
    log::pages_do_not_move,
    log::filters_select,
    agents::a_token_enrolls_one_agent,
    agents::what_is_wanted_of_an_agent_is_kept_and_audited,
    agents::a_second_key_is_valid_until_it_is_the_only_one,
    agents::a_lease_has_one_holder,
    agents::another_controller_is_named_by_the_holder,
    agents::a_lease_ends_by_time_or_by_release,
    agents::the_store_answers,
    hostile::texts_survive,
    hostile::nul_is_refused_or_shown_as_replaced,
    hostile::filters_are_never_interpreted,
}
