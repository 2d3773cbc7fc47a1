//! Which functions call an imported symbol.
