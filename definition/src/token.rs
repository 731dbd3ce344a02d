//! Enumerations as users spell them. A token is compared without case and with `_` equal to `-`, so
//! `AT_LEAST_ONCE`, `at-least-once` and `At-Least-Once` are one value; what is stored and printed is the label.

/// Folds a spelling: lower case, `_` becomes `-`.
pub fn fold(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace('_', "-")
}

/// Declares a closed enumeration with one label per variant and optional further spellings.
macro_rules! tokens {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $label:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            $vis const ALL: &'static [$name] = &[$($name::$variant),+];
            /// Every label, in declaration order.
            $vis const LABELS: &'static [&'static str] = &[$($label),+];

            /// The canonical spelling.
            $vis fn label(self) -> &'static str {
                match self { $($name::$variant => $label),+ }
            }

            /// Reads any accepted spelling.
            $vis fn parse(text: &str) -> Option<$name> {
                let folded = $crate::token::fold(text);
                $($(if folded == $crate::token::fold($alias) { return Some($name::$variant); })*)+
                $name::ALL.iter().copied().find(|value| $crate::token::fold(value.label()) == folded)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.label()) }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(self.label()) }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                $name::parse(&text).ok_or_else(|| serde::de::Error::unknown_variant(&text, $name::LABELS))
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": $name::LABELS })
            }
        }

        impl $crate::token::Token for $name {
            const LABELS: &'static [&'static str] = $name::LABELS;
            fn parse(text: &str) -> Option<Self> { $name::parse(text) }
        }
    };
}
pub(crate) use tokens;

/// A closed enumeration that the document reader can read.
pub trait Token: Sized {
    /// Every canonical spelling, for the error text.
    const LABELS: &'static [&'static str];
    /// Reads any accepted spelling.
    fn parse(text: &str) -> Option<Self>;
}
