//! Metadata policy of one entity type: OpenID Federation 1.0 §6.1.
//!
//! A [`Policy`] is what the superiors of an entity demand of its metadata, one [`ParameterPolicy`] per metadata
//! parameter. Policies of a trust chain are [`combine`]d from the trust anchor downwards and the result is
//! [applied](Policy::apply) to the entity's metadata. All seven standard operators are understood, with their types,
//! merge rules, combination rules and order.
//!
//! Trusted for: a combined policy is never looser than any of its parts, and metadata that leaves [`Policy::apply`]
//! satisfies it. It does not check signatures, and it does not know which entity type it speaks about.

mod apply;
mod case;
mod merge;
mod parameter;
mod values;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use apply::{ApplicationStep, PolicyViolation};
pub use case::run_case;
pub use merge::MergeStep;
pub use parameter::{Operator, ParameterPolicy};

/// Most metadata parameters one policy may name.
pub const MAX_PARAMETERS: usize = 256;
/// Most values one operator, or one metadata parameter an operator acts on, may hold.
pub const MAX_VALUES: usize = 1_000;

/// Why a policy, or the combination of several, cannot be used (a "policy error" of §6.1.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The policy of an entity type, or of a parameter, is not a JSON object.
    #[error("metadata policy {place} is not a JSON object (OpenID Federation 1.0 §6.1.2)")]
    NotAnObject {
        /// Where: "of the entity type" or the parameter's name.
        place: String,
    },
    /// More parameters than [`MAX_PARAMETERS`].
    #[error("metadata policy names {found} parameters, at most {MAX_PARAMETERS} are accepted")]
    TooManyParameters {
        /// How many there are.
        found: usize,
    },
    /// More values in one operator than [`MAX_VALUES`].
    #[error("operator {operator} of parameter {parameter:?} has more than {MAX_VALUES} values")]
    TooManyValues {
        /// The metadata parameter.
        parameter: String,
        /// The operator.
        operator: Operator,
    },
    /// The operator is configured with a JSON type it does not support (§6.1.3).
    #[error("operator {operator} of parameter {parameter:?} must be {expected} (OpenID Federation 1.0 §6.1.3.1)")]
    OperatorType {
        /// The metadata parameter.
        parameter: String,
        /// The operator.
        operator: Operator,
        /// What it has to be.
        expected: &'static str,
    },
    /// `one_of` without a single value: no metadata could ever satisfy it (§6.1.3.1.4).
    #[error(
        "operator one_of of parameter {parameter:?} must name at least one value (OpenID Federation 1.0 §6.1.3.1.4)"
    )]
    EmptyOneOf {
        /// The metadata parameter.
        parameter: String,
    },
    /// Two operators that may never stand together.
    #[error(
        "operators {first} and {second} of parameter {parameter:?} must not be combined (OpenID Federation 1.0 §6.1.3.1)"
    )]
    CombinationNotAllowed {
        /// The metadata parameter.
        parameter: String,
        /// One operator.
        first: Operator,
        /// The other.
        second: Operator,
    },
    /// Two operators that may stand together only under a condition their values do not meet.
    #[error(
        "operators {first} and {second} of parameter {parameter:?} contradict each other: {condition} (OpenID Federation 1.0 §6.1.3.1)"
    )]
    CombinationCondition {
        /// The metadata parameter.
        parameter: String,
        /// One operator.
        first: Operator,
        /// The other.
        second: Operator,
        /// The condition that has to hold.
        condition: &'static str,
    },
    /// A subordinate's operator cannot be merged with its superior's (§6.1.4.1).
    #[error(
        "operator {operator} of parameter {parameter:?} cannot be merged with the superior's: {condition} (OpenID Federation 1.0 §6.1.4.1)"
    )]
    Merge {
        /// The metadata parameter.
        parameter: String,
        /// The operator.
        operator: Operator,
        /// The condition that has to hold.
        condition: &'static str,
    },
    /// An operator named in `metadata_policy_crit` is not known here (§6.1.3.2).
    #[error(
        "metadata_policy_crit names operator {operator:?}, which is not understood (OpenID Federation 1.0 §6.1.3.2)"
    )]
    CriticalOperator {
        /// The operator's name.
        operator: String,
    },
    /// `metadata_policy_crit` names one of the seven standard operators, or is empty (§3.1.3).
    #[error(
        "metadata_policy_crit must be a non-empty array of names of operators other than the standard ones (OpenID Federation 1.0 §3.1.3)"
    )]
    CriticalList,
}

/// The metadata policy of one entity type; valid by construction.
///
/// ```
/// use federation::policy::Policy;
/// use serde_json::json;
///
/// let policy = Policy::parse(&json!({"subject_type": {"value": "pairwise"}}))?;
/// let resolved = policy.apply(json!({"subject_type": "public"}).as_object().unwrap());
/// assert_eq!(resolved.unwrap()["subject_type"], "pairwise");
/// # Ok::<(), federation::policy::PolicyError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    parameters: BTreeMap<String, ParameterPolicy>,
}

impl Policy {
    /// Reads the policy of one entity type (the second level of `metadata_policy`, §6.1.2). Operators beside the
    /// seven standard ones are kept and ignored (§6.1.3.2); refuse critical ones first with [`check_critical`].
    ///
    /// # Errors
    /// Structure, type or combination not allowed: see [`PolicyError`].
    pub fn parse(policy: &Value) -> Result<Self, PolicyError> {
        let Value::Object(members) = policy else {
            return Err(PolicyError::NotAnObject {
                place: "of the entity type".into(),
            });
        };
        if members.len() > MAX_PARAMETERS {
            return Err(PolicyError::TooManyParameters { found: members.len() });
        }
        let mut parameters = BTreeMap::new();
        for (name, operators) in members {
            parameters.insert(name.clone(), ParameterPolicy::parse(name, operators)?);
        }
        Ok(Self { parameters })
    }

    /// The policy of one parameter, if there is one.
    pub fn parameter(&self, name: &str) -> Option<&ParameterPolicy> {
        self.parameters.get(name)
    }

    /// All parameters with their policies, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &ParameterPolicy)> {
        self.parameters.iter().map(|(name, policy)| (name.as_str(), policy))
    }

    /// True if no parameter is named.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// The policy as it stands in a statement.
    pub fn to_value(&self) -> Value {
        let members: Map<String, Value> = self
            .parameters
            .iter()
            .map(|(name, policy)| (name.clone(), policy.to_value()))
            .collect();
        Value::Object(members)
    }
}

/// Combines the policies of a trust chain, the most superior first (§6.1.4.1).
///
/// # Errors
/// The first merge or combination that is not allowed.
pub fn combine(policies: &[Policy]) -> Result<Policy, PolicyError> {
    combine_explained(policies).map(|(policy, _)| policy)
}

/// As [`combine`], with a list of what was merged, in order.
///
/// # Errors
/// As [`combine`].
pub fn combine_explained(policies: &[Policy]) -> Result<(Policy, Vec<MergeStep>), PolicyError> {
    let mut combined = Policy::default();
    let mut steps = Vec::new();
    for (level, policy) in policies.iter().enumerate() {
        for (name, subordinate) in &policy.parameters {
            match combined.parameters.get_mut(name) {
                Some(current) => current.merge(name, subordinate, level, &mut steps)?,
                None => {
                    steps.extend(merge::copied(name, subordinate, level));
                    combined.parameters.insert(name.clone(), subordinate.clone());
                }
            }
        }
    }
    Ok((combined, steps))
}

/// Checks `metadata_policy_crit` of one statement: it must name only operators that are understood, and since none
/// beside the standard seven (which must not be listed) is, every listed name is refused (§3.1.3, §6.1.3.2).
///
/// # Errors
/// [`PolicyError::CriticalList`] or [`PolicyError::CriticalOperator`].
pub fn check_critical(names: &[String]) -> Result<(), PolicyError> {
    if names.iter().any(|name| Operator::from_name(name).is_some()) {
        return Err(PolicyError::CriticalList);
    }
    match names.first() {
        None => Err(PolicyError::CriticalList),
        Some(operator) => Err(PolicyError::CriticalOperator {
            operator: operator.clone(),
        }),
    }
}
