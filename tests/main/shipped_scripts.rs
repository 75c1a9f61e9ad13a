//! shipped_scripts
