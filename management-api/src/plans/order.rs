//! The order of published plans: which one is tried first when several could let a caller in.

use super::PlanRecord;
use definition::plan::PlanStatus;
use uuid::Uuid;

/// The position behind every published plan.
pub(super) fn next(plans: &[PlanRecord]) -> i32 {
    published(plans).map(|plan| plan.position).max().unwrap_or(0).saturating_add(1)
}

/// Gives a plan another position. Only published plans stand in a row; the position of others is just noted.
pub(super) fn place(plans: &mut [PlanRecord], id: Uuid, wanted: i32) {
    match plans.iter_mut().find(|plan| plan.id == id) {
        Some(plan) if plan.status != PlanStatus::Published => plan.position = wanted,
        Some(_) => move_to(plans, id, wanted),
        None => {}
    }
}

/// Moves a published plan to `wanted`, clamped to 1..=n, and numbers the published plans from 1 on.
fn move_to(plans: &mut [PlanRecord], id: Uuid, wanted: i32) {
    let mut ids: Vec<Uuid> = published(plans).map(|plan| plan.id).filter(|other| *other != id).collect();
    let index = usize::try_from(wanted.max(1) - 1).unwrap_or(usize::MAX).min(ids.len());
    ids.insert(index, id);
    for (position, id) in (1..).zip(ids) {
        if let Some(plan) = plans.iter_mut().find(|plan| plan.id == id) {
            plan.position = position;
        }
    }
}

/// Moves the published plans behind a plan that is closed up by one.
pub(super) fn close_gap(plans: &mut [PlanRecord], closed: &PlanRecord) {
    let behind = |plan: &PlanRecord| {
        plan.status == PlanStatus::Published && plan.id != closed.id && plan.position > closed.position
    };
    for plan in plans.iter_mut().filter(|plan| behind(plan)) {
        plan.position -= 1;
    }
}

/// `plans` come from the store, ordered.
fn published(plans: &[PlanRecord]) -> impl Iterator<Item = &PlanRecord> {
    plans.iter().filter(|plan| plan.status == PlanStatus::Published)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::rules::tests::plan;

    /// Plans named by position in the text: `p` published, `s` staging. Answers "index:position" in the new order.
    fn plans(kinds: &str) -> Vec<PlanRecord> {
        let status = |kind| if kind == 'p' { PlanStatus::Published } else { PlanStatus::Staging };
        kinds.chars().zip(1..).map(|(kind, position)| PlanRecord { position, ..plan(status(kind)) }).collect()
    }

    fn positions(plans: &[PlanRecord]) -> Vec<i32> {
        plans.iter().map(|plan| plan.position).collect()
    }

    #[test]
    fn moves_are_clamped_and_leave_no_gap() {
        for (index, wanted, expected) in
            [(0, 3, [3, 1, 2]), (2, 1, [2, 3, 1]), (1, -7, [2, 1, 3]), (0, 99, [3, 1, 2]), (1, 2, [1, 2, 3])]
        {
            let mut plans = plans("ppp");
            let id = plans[index].id;
            move_to(&mut plans, id, wanted);
            assert_eq!(positions(&plans), expected, "{index} to {wanted}");
        }
    }

    #[test]
    fn only_published_plans_are_numbered() {
        let mut plans = plans("psp");
        assert_eq!(next(&plans), 4);
        let id = plans[2].id;
        move_to(&mut plans, id, 1);
        assert_eq!(positions(&plans), [2, 2, 1]);
        assert_eq!(next(&[]), 1);
    }

    #[test]
    fn closing_moves_up_what_is_behind() {
        let mut plans = plans("ppsp");
        let closed = plans[0].clone();
        close_gap(&mut plans, &closed);
        assert_eq!(positions(&plans), [1, 1, 3, 3]);
    }
}
