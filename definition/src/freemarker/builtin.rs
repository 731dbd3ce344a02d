//! Built-ins: what stands behind a `?`.

/// Declares the built-ins with their spelling and how many arguments they take.
macro_rules! builtins {
    ($($variant:ident = $name:literal $(| $alias:literal)* ($least:literal, $most:literal)),+ $(,)?) => {
        /// A built-in of the subset.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Builtin { $($variant),+ }

        impl Builtin {
            /// By its spelling.
            pub(super) fn named(name: &str) -> Option<Builtin> {
                match name {
                    $($name $(| $alias)* => Some(Builtin::$variant),)+
                    _ => None,
                }
            }

            /// As it is written.
            pub fn name(self) -> &'static str {
                match self { $(Builtin::$variant => $name),+ }
            }

            /// Least and greatest number of arguments.
            pub(super) fn arity(self) -> (usize, usize) {
                match self { $(Builtin::$variant => ($least, $most)),+ }
            }
        }
    };
}

builtins! {
    HasContent = "has_content" (0, 0),
    Size = "size" (0, 0),
    Length = "length" (0, 0),
    Eval = "eval" | "eval_json" | "evalJson" (0, 0),
    JsonString = "json_string" | "js_string" | "jsonString" (0, 0),
    Html = "html" | "xml" | "xhtml" | "esc" (0, 0),
    Url = "url" (0, 1),
    UpperCase = "upper_case" | "upperCase" (0, 0),
    LowerCase = "lower_case" | "lowerCase" (0, 0),
    CapFirst = "cap_first" | "capFirst" (0, 0),
    UncapFirst = "uncap_first" | "uncapFirst" (0, 0),
    Trim = "trim" (0, 0),
    String = "string" (0, 2),
    Computer = "c" | "cn" (0, 0),
    Number = "number" (0, 0),
    Boolean = "boolean" (0, 0),
    Keys = "keys" (0, 0),
    Values = "values" (0, 0),
    Contains = "contains" (1, 1),
    StartsWith = "starts_with" | "startsWith" (1, 1),
    EndsWith = "ends_with" | "endsWith" (1, 1),
    IndexOf = "index_of" | "indexOf" (1, 1),
    LastIndexOf = "last_index_of" | "lastIndexOf" (1, 1),
    Replace = "replace" (2, 2),
    RemoveBeginning = "remove_beginning" | "removeBeginning" (1, 1),
    RemoveEnding = "remove_ending" | "removeEnding" (1, 1),
    KeepBefore = "keep_before" | "keepBefore" (1, 1),
    KeepAfter = "keep_after" | "keepAfter" (1, 1),
    Substring = "substring" (1, 2),
    LeftPad = "left_pad" | "leftPad" (1, 2),
    RightPad = "right_pad" | "rightPad" (1, 2),
    Split = "split" (1, 1),
    Join = "join" (1, 3),
    First = "first" (0, 0),
    Last = "last" (0, 0),
    Reverse = "reverse" (0, 0),
    Sort = "sort" (0, 0),
    SortBy = "sort_by" | "sortBy" (1, 1),
    SeqContains = "seq_contains" | "seqContains" (1, 1),
    SeqIndexOf = "seq_index_of" | "seqIndexOf" (1, 1),
    Min = "min" (0, 0),
    Max = "max" (0, 0),
    Abs = "abs" (0, 0),
    Int = "int" | "long" (0, 0),
    Floor = "floor" (0, 0),
    Ceiling = "ceiling" (0, 0),
    Round = "round" (0, 0),
    Then = "then" (2, 2),
    IsString = "is_string" | "isString" (0, 0),
    IsNumber = "is_number" | "isNumber" (0, 0),
    IsBoolean = "is_boolean" | "isBoolean" (0, 0),
    IsSequence = "is_sequence" | "is_enumerable" | "is_indexable" | "isSequence" (0, 0),
    IsHash = "is_hash" | "is_hash_ex" | "isHash" (0, 0),
    Index = "index" (0, 0),
    Counter = "counter" (0, 0),
    HasNext = "has_next" | "hasNext" (0, 0),
    IsFirst = "is_first" | "isFirst" (0, 0),
    IsLast = "is_last" | "isLast" (0, 0),
}

impl Builtin {
    /// Whether it tells about the loop of a variable and not about a value.
    pub fn is_of_loop(self) -> bool {
        use Builtin as B;
        matches!(self, B::Index | B::Counter | B::HasNext | B::IsFirst | B::IsLast)
    }
}
