//! What each colour means, and its value on a light and a dark background.
//!
//! The palette was checked for contrast and for red-green and blue-yellow colour blindness; failures are hatched and
//! percentiles are dashed, so that colour never carries meaning alone.

use plotters::style::RGBColor;

/// The role of an element of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Text.
    Text,
    /// Lines of the grid and of axes.
    Grid,
    /// Successes.
    Ok,
    /// Failures.
    Failed,
    /// Median.
    P50,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Maximum.
    Max,
    /// Between the median and the 95th percentile.
    Band,
    /// The first thing of a chart that is none of the above.
    One,
    /// The second.
    Two,
    /// The third.
    Three,
    /// What was planned.
    Planned,
    /// A threshold.
    Limit,
    /// A flag of a finding.
    Flag,
    /// Background of ramp-up and ramp-down.
    Phase,
    /// The baseline run.
    Before,
    /// Outline around a line on top of an area.
    Halo,
    /// A step of the heat map.
    Heat(u8),
}

/// Marks our colours among those that plotters uses by itself.
const MARK: (u8, u8) = (1, 2);

/// Class, colour on white, colour on dark.
const ROLES: [(Role, &str, &str, &str); 24] = [
    (Role::Text, "text", "#24292f", "#e6edf3"),
    (Role::Grid, "grid", "#d8dee4", "#30363d"),
    (Role::Ok, "ok", "#0072b2", "#56b4e9"),
    (Role::Failed, "failed", "#c0182b", "#ff6b6b"),
    (Role::P50, "p50", "#0072b2", "#56b4e9"),
    (Role::P95, "p95", "#b85400", "#f0a04b"),
    (Role::P99, "p99", "#8e3a80", "#c77dff"),
    (Role::Max, "max", "#57606a", "#9da7b3"),
    (Role::Band, "band", "#e3eef6", "#172636"),
    (Role::One, "one", "#0072b2", "#56b4e9"),
    (Role::Two, "two", "#b85400", "#f0a04b"),
    (Role::Three, "three", "#8e3a80", "#c77dff"),
    (Role::Planned, "planned", "#57606a", "#9da7b3"),
    (Role::Limit, "limit", "#c0182b", "#ff6b6b"),
    (Role::Flag, "flag", "#57606a", "#9da7b3"),
    (Role::Phase, "phase", "#f0f2f4", "#1a2027"),
    (Role::Before, "before", "#57606a", "#9da7b3"),
    (Role::Halo, "halo", "#ffffff", "#0f1419"),
    (Role::Heat(1), "heat1", "#d6e6f2", "#16324a"),
    (Role::Heat(2), "heat2", "#a9cce3", "#1d4b70"),
    (Role::Heat(3), "heat3", "#74addb", "#2668a0"),
    (Role::Heat(4), "heat4", "#3f89bd", "#3c8bd0"),
    (Role::Heat(5), "heat5", "#19659c", "#7db9ee"),
    (Role::Heat(6), "heat6", "#073f6b", "#cfe6fb"),
];

impl Role {
    fn index(self) -> usize {
        ROLES.iter().position(|(role, ..)| *role == self).unwrap_or(0)
    }

    /// The colour that represents it while plotters draws.
    pub(super) fn color(self) -> RGBColor {
        RGBColor(MARK.0, MARK.1, self.index() as u8)
    }

    /// The role of a colour; colours chosen by plotters itself are text.
    pub(super) fn of(color: RGBColor) -> Role {
        let RGBColor(r, g, index) = color;
        let known = ROLES.get(usize::from(index)).filter(|_| (r, g) == MARK);
        known.map_or(Role::Text, |(role, ..)| *role)
    }

    /// Whether its lines and dots are values, which labels keep off.
    pub(super) fn is_data(self) -> bool {
        !matches!(
            self,
            Role::Text
                | Role::Grid
                | Role::Band
                | Role::Limit
                | Role::Flag
                | Role::Phase
                | Role::Halo
                | Role::Heat(_)
        )
    }

    /// The class of its elements.
    pub(crate) fn class(self) -> &'static str {
        ROLES[self.index()].1
    }
}

/// How elements of charts look, by their classes; colours are variables.
pub(crate) const CHART_CSS: &str = "\
.l{fill:none;stroke:var(--c);stroke-width:3;stroke-linejoin:round}\
.f{fill:var(--c);stroke:none}\
.d{stroke:var(--c);stroke-width:7;stroke-linecap:round;fill:none}\
.t{fill:var(--c-text);font:24px system-ui,sans-serif}.t.limit{paint-order:stroke;stroke:var(--c-halo);stroke-width:8;stroke-linejoin:round}.m{text-anchor:middle}.e{text-anchor:end}\
.l.grid{stroke-width:2}\
.l.p95{stroke-dasharray:18 8}\
.l.p99{stroke-dasharray:7 6}\
.l.two{stroke-dasharray:18 8}\
.l.three{stroke-dasharray:7 6}\
.l.planned{stroke-dasharray:3 7}\
.l.halo{stroke-width:9;stroke-opacity:.65}\
.l.before{stroke-dasharray:16 5 3 5}\
.l.limit{stroke-dasharray:12 8}\
.l.flag{stroke-width:2;stroke-dasharray:4 6}\
.f.failed{fill:url(#hatch)}\
.hatch-line{stroke:var(--c-failed);stroke-width:5}\
.hatch-ground{fill:var(--c-ground)}";

/// The pattern of failures; it stands once in a page.
pub(crate) const HATCH: &str = "<pattern id=\"hatch\" width=\"9\" height=\"9\" patternUnits=\"userSpaceOnUse\" \
patternTransform=\"rotate(45)\"><rect class=\"hatch-ground\" width=\"9\" height=\"9\"/>\
<path class=\"hatch-line\" d=\"M2 0v9\"/></pattern>";

/// Which class has which variable.
pub(crate) fn class_css() -> String {
    ROLES.iter().map(|(_, class, ..)| format!(".{class}{{--c:var(--c-{class})}}")).collect()
}

/// The values of the variables on white or on dark ground.
pub(crate) fn variables(dark: bool) -> String {
    let ground = if dark { "#0f1419" } else { "#ffffff" };
    let roles = ROLES.iter().map(|(_, class, on_white, on_dark)| {
        format!("--c-{class}:{};", if dark { on_dark } else { on_white })
    });
    std::iter::once(format!("--c-ground:{ground};")).chain(roles).collect()
}
