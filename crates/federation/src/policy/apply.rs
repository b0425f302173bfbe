//! Applying a combined policy to metadata (§6.1.4.2).

use serde_json::{Map, Value};

use super::parameter::is_choice;
use super::values::{as_set, intersection, is_set_member, is_subset, to_metadata, union};
use super::{MAX_VALUES, Operator, ParameterPolicy, Policy};

/// Why metadata does not comply with a policy. The trust chain is then invalid (§6.1.4.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyViolation {
    /// A metadata parameter is `null` (§5).
    #[error("metadata parameter {parameter:?} must not be null (OpenID Federation 1.0 §5)")]
    Null {
        /// The metadata parameter.
        parameter: String,
    },
    /// The parameter has a JSON type the operator cannot act on (§6.1.3).
    #[error(
        "metadata parameter {parameter:?} must be {expected}, because operator {operator} acts on it (OpenID Federation 1.0 §6.1.3)"
    )]
    ParameterType {
        /// The metadata parameter.
        parameter: String,
        /// The operator.
        operator: Operator,
        /// What it has to be.
        expected: &'static str,
    },
    /// More values than [`MAX_VALUES`].
    #[error("metadata parameter {parameter:?} has more than {MAX_VALUES} values")]
    TooManyValues {
        /// The metadata parameter.
        parameter: String,
    },
    /// Not among the values of `one_of` (§6.1.3.1.4).
    #[error("metadata parameter {parameter:?} must be one of the values of one_of (OpenID Federation 1.0 §6.1.3.1.4)")]
    NotOneOf {
        /// The metadata parameter.
        parameter: String,
    },
    /// A value of `superset_of` is missing (§6.1.3.1.6).
    #[error(
        "metadata parameter {parameter:?} must contain every value of superset_of (OpenID Federation 1.0 §6.1.3.1.6)"
    )]
    NotSupersetOf {
        /// The metadata parameter.
        parameter: String,
    },
    /// Absent although `essential` (§6.1.3.1.7).
    #[error("metadata parameter {parameter:?} must be present: it is essential (OpenID Federation 1.0 §6.1.3.1.7)")]
    EssentialMissing {
        /// The metadata parameter.
        parameter: String,
    },
}

/// One operator applied to one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplicationStep {
    /// The metadata parameter.
    pub parameter: String,
    /// The operator.
    pub operator: Operator,
    /// The parameter before; `None` is absent.
    pub before: Option<Value>,
    /// The parameter after; `None` is absent.
    pub after: Option<Value>,
}

impl Policy {
    /// Applies the policy to the metadata of one entity type. Parameters the policy does not name stay as they are.
    ///
    /// # Errors
    /// The first [`PolicyViolation`], parameters in alphabetical order.
    pub fn apply(&self, metadata: &Map<String, Value>) -> Result<Map<String, Value>, PolicyViolation> {
        self.apply_explained(metadata).map(|(resolved, _)| resolved)
    }

    /// As [`Policy::apply`], with a list of every operator applied, in order.
    ///
    /// # Errors
    /// As [`Policy::apply`].
    pub fn apply_explained(
        &self,
        metadata: &Map<String, Value>,
    ) -> Result<(Map<String, Value>, Vec<ApplicationStep>), PolicyViolation> {
        if let Some((parameter, _)) = metadata.iter().find(|(_, value)| value.is_null()) {
            return Err(PolicyViolation::Null {
                parameter: parameter.clone(),
            });
        }
        let mut resolved = metadata.clone();
        let mut steps = Vec::new();
        for (parameter, policy) in self.parameters() {
            let mut value = metadata.get(parameter).cloned();
            for operator in Operator::ALL {
                if policy.operator(operator).is_none() {
                    continue;
                }
                let before = value.clone();
                value = policy.apply_operator(parameter, operator, value)?;
                steps.push(ApplicationStep {
                    parameter: parameter.into(),
                    operator,
                    before,
                    after: value.clone(),
                });
            }
            match value {
                Some(value) => resolved.insert(parameter.into(), value),
                None => resolved.remove(parameter),
            };
        }
        Ok((resolved, steps))
    }
}

impl ParameterPolicy {
    fn apply_operator(
        &self,
        parameter: &str,
        operator: Operator,
        current: Option<Value>,
    ) -> Result<Option<Value>, PolicyViolation> {
        let empty = Vec::new();
        let result = match (operator, current) {
            (Operator::Value, _) => self.value.clone().filter(|value| !value.is_null()),
            (Operator::Add, current) => {
                let present = match &current {
                    Some(current) => members_of(parameter, operator, current)?,
                    None => Vec::new(),
                };
                let add = self.add.as_ref().unwrap_or(&empty);
                Some(Value::Array(union(&present, add)))
            }
            (Operator::Default, None) => self.default.clone(),
            (Operator::Essential, None) if self.essential == Some(true) => {
                return Err(PolicyViolation::EssentialMissing {
                    parameter: parameter.into(),
                });
            }
            (Operator::OneOf, Some(value)) => {
                let choices = self.one_of.as_ref().unwrap_or(&empty);
                if !is_choice(parameter, choices, &value) {
                    return Err(PolicyViolation::NotOneOf {
                        parameter: parameter.into(),
                    });
                }
                Some(value)
            }
            (Operator::SubsetOf, Some(value)) => {
                let present = members_of(parameter, operator, &value)?;
                let allowed = self.subset_of.as_ref().unwrap_or(&empty);
                Some(Value::Array(intersection(&present, allowed)))
            }
            (Operator::SupersetOf, Some(value)) => {
                let present = members_of(parameter, operator, &value)?;
                let demanded = self.superset_of.as_ref().unwrap_or(&empty);
                if !is_subset(demanded, &present) {
                    return Err(PolicyViolation::NotSupersetOf {
                        parameter: parameter.into(),
                    });
                }
                Some(value)
            }
            (_, unchanged) => unchanged,
        };
        result
            .map(|value| {
                to_metadata(parameter, value).ok_or_else(|| wrong_type(parameter, operator, "a set of strings"))
            })
            .transpose()
    }
}

fn members_of(parameter: &str, operator: Operator, value: &Value) -> Result<Vec<Value>, PolicyViolation> {
    const EXPECTED: &str = "an array of strings, of numbers or of objects";
    let members = as_set(parameter, value).ok_or_else(|| wrong_type(parameter, operator, EXPECTED))?;
    if members.len() > MAX_VALUES {
        return Err(PolicyViolation::TooManyValues {
            parameter: parameter.into(),
        });
    }
    if !members.iter().all(is_set_member) {
        return Err(wrong_type(parameter, operator, EXPECTED));
    }
    Ok(members)
}

fn wrong_type(parameter: &str, operator: Operator, expected: &'static str) -> PolicyViolation {
    PolicyViolation::ParameterType {
        parameter: parameter.into(),
        operator,
        expected,
    }
}
