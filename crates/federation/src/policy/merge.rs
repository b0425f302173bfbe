//! Merging a subordinate's operators into those of its superiors (§6.1.4.1).

use serde_json::Value;

use super::values::{equal_for, intersection, union};
use super::{Operator, ParameterPolicy, PolicyError};

/// One operator that a policy of the chain contributed, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeStep {
    /// Which policy contributed: 0 is the most superior.
    pub level: usize,
    /// The metadata parameter.
    pub parameter: String,
    /// The operator.
    pub operator: Operator,
    /// What the superiors had; `None` if the operator is new.
    pub superior: Option<Value>,
    /// What this policy says.
    pub subordinate: Value,
    /// The merged operator.
    pub result: Value,
}

/// The steps for a parameter no superior has spoken about: everything is copied.
pub(super) fn copied<'a>(
    parameter: &'a str,
    policy: &'a ParameterPolicy,
    level: usize,
) -> impl Iterator<Item = MergeStep> + 'a {
    Operator::ALL.into_iter().filter_map(move |operator| {
        let configured = policy.operator(operator)?;
        Some(MergeStep {
            level,
            parameter: parameter.into(),
            operator,
            superior: None,
            subordinate: configured.clone(),
            result: configured,
        })
    })
}

impl ParameterPolicy {
    /// Merges the subordinate's operators into these, then checks the combinations anew.
    pub(super) fn merge(
        &mut self,
        parameter: &str,
        subordinate: &Self,
        level: usize,
        steps: &mut Vec<MergeStep>,
    ) -> Result<(), PolicyError> {
        let conflict = |operator, condition| PolicyError::Merge {
            parameter: parameter.into(),
            operator,
            condition,
        };
        let superior = self.clone();

        if let Some(theirs) = &subordinate.value {
            match &self.value {
                Some(ours) if !equal_for(parameter, ours, theirs) => {
                    return Err(conflict(Operator::Value, "both values must be equal"));
                }
                Some(_) => {}
                None => self.value = Some(theirs.clone()),
            }
        }
        if let Some(theirs) = &subordinate.default {
            match &self.default {
                Some(ours) if !equal_for(parameter, ours, theirs) => {
                    return Err(conflict(Operator::Default, "both values must be equal"));
                }
                Some(_) => {}
                None => self.default = Some(theirs.clone()),
            }
        }
        merge_sets(&mut self.add, subordinate.add.as_ref(), union);
        merge_sets(&mut self.one_of, subordinate.one_of.as_ref(), intersection);
        if self.one_of.as_ref().is_some_and(Vec::is_empty) {
            return Err(conflict(Operator::OneOf, "both must have at least one value in common"));
        }
        merge_sets(&mut self.subset_of, subordinate.subset_of.as_ref(), intersection);
        merge_sets(&mut self.superset_of, subordinate.superset_of.as_ref(), union);
        if let Some(theirs) = subordinate.essential {
            self.essential = Some(theirs || self.essential.unwrap_or(false));
        }
        for (name, configured) in &subordinate.additional {
            if !self.additional.contains_key(name) {
                self.additional.insert(name.clone(), configured.clone());
            }
        }
        self.check_combinations(parameter)?;
        steps.extend(copied(parameter, subordinate, level).map(|mut step| {
            step.superior = superior.operator(step.operator);
            if let Some(result) = self.operator(step.operator) {
                step.result = result;
            }
            step
        }));
        Ok(())
    }
}

fn merge_sets(ours: &mut Option<Vec<Value>>, theirs: Option<&Vec<Value>>, merge: fn(&[Value], &[Value]) -> Vec<Value>) {
    let Some(theirs) = theirs else { return };
    *ours = Some(match ours.take() {
        Some(ours) => merge(&ours, theirs),
        None => theirs.clone(),
    });
}
