//! The operators of one metadata parameter: types and allowed combinations (§6.1.3.1).

use std::fmt;

use serde_json::{Map, Value};

use super::values::{as_set, contains, equal_for, is_set_member, is_subset};
use super::{MAX_VALUES, PolicyError};

/// The seven standard operators, in the order in which they are applied (§6.1.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// Sets the parameter, or removes it (`null`). §6.1.3.1.1
    Value,
    /// Adds values. §6.1.3.1.2
    Add,
    /// Sets the parameter if it is absent. §6.1.3.1.3
    Default,
    /// The parameter, if present, is one of these. §6.1.3.1.4
    OneOf,
    /// The parameter, if present, is cut down to these. §6.1.3.1.5
    SubsetOf,
    /// The parameter, if present, contains these. §6.1.3.1.6
    SupersetOf,
    /// The parameter must be present. §6.1.3.1.7
    Essential,
}

impl Operator {
    /// All, in order of application.
    pub const ALL: [Self; 7] = [
        Self::Value,
        Self::Add,
        Self::Default,
        Self::OneOf,
        Self::SubsetOf,
        Self::SupersetOf,
        Self::Essential,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Add => "add",
            Self::Default => "default",
            Self::OneOf => "one_of",
            Self::SubsetOf => "subset_of",
            Self::SupersetOf => "superset_of",
            Self::Essential => "essential",
        }
    }

    /// The operator of this name (case-sensitive, §6.1.3), if it is a standard one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == name)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The operators that act on one metadata parameter; types and combinations are checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParameterPolicy {
    /// `Some(Value::Null)` removes the parameter.
    pub(super) value: Option<Value>,
    pub(super) add: Option<Vec<Value>>,
    pub(super) default: Option<Value>,
    pub(super) one_of: Option<Vec<Value>>,
    pub(super) subset_of: Option<Vec<Value>>,
    pub(super) superset_of: Option<Vec<Value>>,
    pub(super) essential: Option<bool>,
    /// Operators that are not understood: kept, ignored (§6.1.3.2).
    pub(super) additional: Map<String, Value>,
}

impl ParameterPolicy {
    pub(super) fn parse(parameter: &str, operators: &Value) -> Result<Self, PolicyError> {
        let Value::Object(members) = operators else {
            return Err(PolicyError::NotAnObject {
                place: format!("of parameter {parameter:?}"),
            });
        };
        let mut policy = Self::default();
        for (name, configured) in members {
            let Some(operator) = Operator::from_name(name) else {
                policy.additional.insert(name.clone(), configured.clone());
                continue;
            };
            policy.configure(parameter, operator, configured)?;
        }
        policy.check_combinations(parameter)?;
        Ok(policy)
    }

    fn configure(&mut self, parameter: &str, operator: Operator, configured: &Value) -> Result<(), PolicyError> {
        match operator {
            Operator::Value => self.value = Some(configured.clone()),
            Operator::Default if configured.is_null() => {
                return Err(wrong_type(parameter, operator, "a value other than null"));
            }
            Operator::Default => self.default = Some(configured.clone()),
            Operator::Add => self.add = Some(parse_set(parameter, operator, configured)?),
            Operator::OneOf => self.one_of = Some(parse_choices(parameter, configured)?),
            Operator::SubsetOf => {
                self.subset_of = Some(parse_set(parameter, operator, configured)?);
            }
            Operator::SupersetOf => {
                self.superset_of = Some(parse_set(parameter, operator, configured)?);
            }
            Operator::Essential => match configured {
                Value::Bool(essential) => self.essential = Some(*essential),
                _ => return Err(wrong_type(parameter, operator, "true or false")),
            },
        }
        Ok(())
    }

    /// The configured value of an operator, as it stands in a statement.
    pub fn operator(&self, operator: Operator) -> Option<Value> {
        let set = |values: &Option<Vec<Value>>| values.clone().map(Value::Array);
        match operator {
            Operator::Value => self.value.clone(),
            Operator::Add => set(&self.add),
            Operator::Default => self.default.clone(),
            Operator::OneOf => set(&self.one_of),
            Operator::SubsetOf => set(&self.subset_of),
            Operator::SupersetOf => set(&self.superset_of),
            Operator::Essential => self.essential.map(Value::Bool),
        }
    }

    /// The parameter policy as it stands in a statement.
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        for operator in Operator::ALL {
            if let Some(configured) = self.operator(operator) {
                members.insert(operator.as_str().into(), configured);
            }
        }
        members.extend(self.additional.clone());
        Value::Object(members)
    }

    /// The combination rules of §6.1.3.1.1 to §6.1.3.1.7, for one policy and for the result of a merge.
    pub(super) fn check_combinations(&self, parameter: &str) -> Result<(), PolicyError> {
        self.check_one_of_alone(parameter)?;
        self.check_value(parameter)?;
        if let (Some(add), Some(subset_of)) = (&self.add, &self.subset_of) {
            require(
                is_subset(add, subset_of),
                (parameter, Operator::Add, Operator::SubsetOf),
                "the values of add must be a subset of those of subset_of",
            )?;
        }
        if let (Some(subset_of), Some(superset_of)) = (&self.subset_of, &self.superset_of) {
            require(
                is_subset(superset_of, subset_of),
                (parameter, Operator::SubsetOf, Operator::SupersetOf),
                "the values of subset_of must be a superset of those of superset_of",
            )?;
        }
        Ok(())
    }

    /// `one_of` speaks of a single value, the other three of sets: never together.
    fn check_one_of_alone(&self, parameter: &str) -> Result<(), PolicyError> {
        if self.one_of.is_none() {
            return Ok(());
        }
        let others = [
            (Operator::Add, self.add.is_some()),
            (Operator::SubsetOf, self.subset_of.is_some()),
            (Operator::SupersetOf, self.superset_of.is_some()),
        ];
        match others.into_iter().find(|(_, present)| *present) {
            None => Ok(()),
            Some((second, _)) => Err(PolicyError::CombinationNotAllowed {
                parameter: parameter.into(),
                first: Operator::OneOf,
                second,
            }),
        }
    }

    /// What may stand beside `value` (§6.1.3.1.1). `null` has no values, so it is no subset of anything either.
    fn check_value(&self, parameter: &str) -> Result<(), PolicyError> {
        let Some(value) = &self.value else {
            return Ok(());
        };
        let pair = |second| (parameter, Operator::Value, second);
        if let Some(add) = &self.add {
            require(
                as_set(parameter, value).is_some_and(|value| is_subset(add, &value)),
                pair(Operator::Add),
                "the values of add must be a subset of those of value",
            )?;
        }
        require(
            self.default.is_none() || !value.is_null(),
            pair(Operator::Default),
            "value must not be null beside default",
        )?;
        if let Some(one_of) = &self.one_of {
            require(
                is_choice(parameter, one_of, value),
                pair(Operator::OneOf),
                "value must be among the values of one_of",
            )?;
        }
        if let Some(subset_of) = &self.subset_of {
            require(
                as_set(parameter, value).is_some_and(|value| is_subset(&value, subset_of)),
                pair(Operator::SubsetOf),
                "the values of value must be a subset of those of subset_of",
            )?;
        }
        if let Some(superset_of) = &self.superset_of {
            require(
                as_set(parameter, value).is_some_and(|value| is_subset(superset_of, &value)),
                pair(Operator::SupersetOf),
                "the values of value must be a superset of those of superset_of",
            )?;
        }
        require(
            !(value.is_null() && self.essential == Some(true)),
            pair(Operator::Essential),
            "value must not be null where essential is true",
        )
    }
}

/// True if `value` is one of the `choices`. For `scope` a choice is a whole scope string.
pub(super) fn is_choice(parameter: &str, choices: &[Value], value: &Value) -> bool {
    contains(choices, value) || choices.iter().any(|choice| equal_for(parameter, choice, value))
}

fn parse_set(parameter: &str, operator: Operator, configured: &Value) -> Result<Vec<Value>, PolicyError> {
    const EXPECTED: &str = "an array of strings, of numbers or of objects";
    let values = as_set(parameter, configured).ok_or_else(|| wrong_type(parameter, operator, EXPECTED))?;
    if values.len() > MAX_VALUES {
        return Err(PolicyError::TooManyValues {
            parameter: parameter.into(),
            operator,
        });
    }
    if !values.iter().all(is_set_member) {
        return Err(wrong_type(parameter, operator, EXPECTED));
    }
    Ok(values)
}

fn parse_choices(parameter: &str, configured: &Value) -> Result<Vec<Value>, PolicyError> {
    // A scope string is one choice, not several: only a real array lists choices.
    if !configured.is_array() {
        return Err(wrong_type(
            parameter,
            Operator::OneOf,
            "an array of strings, of numbers or of objects",
        ));
    }
    let choices = parse_set(parameter, Operator::OneOf, configured)?;
    if choices.is_empty() {
        return Err(PolicyError::EmptyOneOf {
            parameter: parameter.into(),
        });
    }
    Ok(choices)
}

fn wrong_type(parameter: &str, operator: Operator, expected: &'static str) -> PolicyError {
    PolicyError::OperatorType {
        parameter: parameter.into(),
        operator,
        expected,
    }
}

fn require(
    holds: bool,
    (parameter, first, second): (&str, Operator, Operator),
    condition: &'static str,
) -> Result<(), PolicyError> {
    if holds {
        return Ok(());
    }
    Err(PolicyError::CombinationCondition {
        parameter: parameter.into(),
        first,
        second,
        condition,
    })
}
