//! Scopes and claims about an insured person (A_22989, A_22989-01), as closed sets.
//!
//! A set is one machine word, so that it fits a sealed login state and compares in one instruction.

use std::fmt;

macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident, $set:ident, $(#[$set_doc:meta])* { $($(#[$variant_doc:meta])* $variant:ident = $bit:literal => $wire:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every member, in the order the specification lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }

            /// Reads the name on the wire; `None` for any other.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($wire => Some(Self::$variant),)+ _ => None }
            }

            const fn bit(self) -> u16 {
                match self { $(Self::$variant => 1 << $bit,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        $(#[$set_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
        pub struct $set(u16);

        impl $set {
            /// The empty set.
            pub const EMPTY: Self = Self(0);

            /// Everything there is.
            pub const fn all() -> Self { Self($(1 << $bit |)+ 0) }

            /// The set as bits, for the sealed login state.
            pub const fn bits(self) -> u16 { self.0 }

            /// A set from bits; `None` when a bit means nothing.
            pub const fn from_bits(bits: u16) -> Option<Self> {
                if bits & !Self::all().0 == 0 { Some(Self(bits)) } else { None }
            }

            /// Whether it holds this member.
            pub const fn contains(self, member: $name) -> bool { self.0 & member.bit() != 0 }

            /// Whether every member of `other` is in here.
            pub const fn contains_all(self, other: Self) -> bool { self.0 & other.0 == other.0 }

            /// Whether nothing is in it.
            pub const fn is_empty(self) -> bool { self.0 == 0 }

            /// Members of either.
            #[must_use]
            pub const fn union(self, other: Self) -> Self { Self(self.0 | other.0) }

            /// Members of both.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self { Self(self.0 & other.0) }

            /// Members of this that are not in `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self { Self(self.0 & !other.0) }

            /// With one more member.
            #[must_use]
            pub const fn with(self, member: $name) -> Self { Self(self.0 | member.bit()) }

            /// The members, in the specification's order.
            pub fn iter(self) -> impl Iterator<Item = $name> {
                $name::ALL.iter().copied().filter(move |member| self.contains(*member))
            }
        }

        impl FromIterator<$name> for $set {
            fn from_iter<I: IntoIterator<Item = $name>>(members: I) -> Self {
                members.into_iter().fold(Self::EMPTY, Self::with)
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.debug_set().entries(self.iter()).finish() }
        }
    };
}

closed_set! {
    /// A scope a relying party may be registered for.
    Scope, ScopeSet,
    /// A set of scopes.
    {
        /// Always present; marks the request as OpenID Connect.
        OpenId = 0 => "openid",
        /// Date of birth.
        BirthDate = 1 => "urn:telematik:geburtsdatum",
        /// Age in years.
        Age = 2 => "urn:telematik:alter",
        /// Full name with title and affixes.
        DisplayName = 3 => "urn:telematik:display_name",
        /// Given name.
        GivenName = 4 => "urn:telematik:given_name",
        /// Family name.
        FamilyName = 5 => "urn:telematik:family_name",
        /// Sex as one letter.
        Sex = 6 => "urn:telematik:geschlecht",
        /// Mail address.
        Email = 7 => "urn:telematik:email",
        /// Insured person: profession, health insurance number, insurer.
        InsuredPerson = 8 => "urn:telematik:versicherter",
    }
}

closed_set! {
    /// A claim about the person that the person can release.
    Claim, ClaimSet,
    /// A set of claims.
    {
        /// `YYYY-MM-DD`, or `YYYY` where the insurer does not know more (OpenID Connect Core §5.1).
        BirthDate = 0 => "birthdate",
        /// Age in years, as a string.
        Age = 1 => "urn:telematik:claims:alter",
        /// Full name.
        DisplayName = 2 => "urn:telematik:claims:display_name",
        /// Given name.
        GivenName = 3 => "urn:telematik:claims:given_name",
        /// Family name.
        FamilyName = 4 => "urn:telematik:claims:family_name",
        /// M, W, X or D.
        Sex = 5 => "urn:telematik:claims:geschlecht",
        /// Mail address.
        Email = 6 => "urn:telematik:claims:email",
        /// Profession OID; `1.2.276.0.76.4.49` for insured persons.
        Profession = 7 => "urn:telematik:claims:profession",
        /// Health insurance number (KVNR). The only claim that releases it.
        HealthInsuranceNumber = 8 => "urn:telematik:claims:id",
        /// Institution code (IK) of the insurer.
        Insurer = 9 => "urn:telematik:claims:organization",
    }
}

impl Scope {
    /// The claims this scope asks for (A_22989-01).
    pub const fn claims(self) -> ClaimSet {
        match self {
            Self::OpenId => ClaimSet::EMPTY,
            Self::BirthDate => ClaimSet::EMPTY.with(Claim::BirthDate),
            Self::Age => ClaimSet::EMPTY.with(Claim::Age),
            Self::DisplayName => ClaimSet::EMPTY.with(Claim::DisplayName),
            Self::GivenName => ClaimSet::EMPTY.with(Claim::GivenName),
            Self::FamilyName => ClaimSet::EMPTY.with(Claim::FamilyName),
            Self::Sex => ClaimSet::EMPTY.with(Claim::Sex),
            Self::Email => ClaimSet::EMPTY.with(Claim::Email),
            Self::InsuredPerson => ClaimSet::EMPTY
                .with(Claim::Profession)
                .with(Claim::HealthInsuranceNumber)
                .with(Claim::Insurer),
        }
    }
}

impl ScopeSet {
    /// Every claim these scopes ask for.
    pub fn claims(self) -> ClaimSet {
        self.iter()
            .fold(ClaimSet::EMPTY, |claims, scope| claims.union(scope.claims()))
    }

    /// Reads a space-separated list; unknown names are left out. For lists somebody else is responsible for (the Federation Master's).
    pub fn known_in(list: &str) -> Self {
        list.split(' ').filter_map(Scope::parse).collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_nine_scopes_of_the_table_are_known_and_no_other() {
        assert_eq!(Scope::ALL.len(), 9);
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(*scope));
        }
        for unknown in ["", "OPENID", "profile", "urn:telematik:claims:alter", "openid "] {
            assert_eq!(Scope::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn only_the_insured_person_scope_asks_for_the_health_insurance_number() {
        for scope in Scope::ALL {
            let asks = scope.claims().contains(Claim::HealthInsuranceNumber);
            assert_eq!(asks, *scope == Scope::InsuredPerson);
        }
    }

    #[test]
    fn every_claim_is_reachable_by_a_scope() {
        assert_eq!(ScopeSet::all().claims(), ClaimSet::all());
    }

    #[test]
    fn bits_that_mean_nothing_are_refused() {
        assert_eq!(ScopeSet::from_bits(1 << 9), None);
        assert_eq!(ClaimSet::from_bits(1 << 10), None);
        assert_eq!(ClaimSet::from_bits(ClaimSet::all().bits()), Some(ClaimSet::all()));
    }
}
