//! Functions of the modify operations.

/// Declares the functions with their spelling.
macro_rules! functions {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// A function of the modify operations.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Function { $($variant),+ }

        impl Function {
            /// By its spelling.
            pub(super) fn named(name: &str) -> Option<Function> {
                match name {
                    $($name => Some(Function::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

functions! {
    ToLower = "toLower",
    ToUpper = "toUpper",
    Trim = "trim",
    Concat = "concat",
    Join = "join",
    Split = "split",
    Substring = "substring",
    LeftPad = "leftPad",
    RightPad = "rightPad",
    Min = "min",
    Max = "max",
    Abs = "abs",
    Avg = "avg",
    IntSum = "intSum",
    LongSum = "longSum",
    DoubleSum = "doubleSum",
    IntSubtract = "intSubtract",
    LongSubtract = "longSubtract",
    DoubleSubtract = "doubleSubtract",
    Divide = "divide",
    DivideAndRound = "divideAndRound",
    ToInteger = "toInteger",
    ToLong = "toLong",
    ToDouble = "toDouble",
    ToBoolean = "toBoolean",
    ToText = "toString",
    ToList = "toList",
    Size = "size",
    FirstElement = "firstElement",
    LastElement = "lastElement",
    ElementAt = "elementAt",
    Sort = "sort",
    SquashNulls = "squashNulls",
    RecursivelySquashNulls = "recursivelySquashNulls",
    SquashDuplicates = "squashDuplicates",
    IsPresent = "isPresent",
    NotNull = "notNull",
    IsNull = "isNull",
    Noop = "noop",
}
