//! The page in a real Chromium. `.ci/page` starts it and says where there is no browser.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::nights;

/// Collects what goes wrong, before anything of the page runs.
const LISTEN: &str = r#"<script>
window.wrongs = [];
addEventListener("error", (event) => wrongs.push("error: " + (event.message || event.target.outerHTML)), true);
addEventListener("unhandledrejection", (event) => wrongs.push("rejection: " + event.reason));
for (const kind of ["error", "warn"]) console[kind] = (...said) => wrongs.push(kind + ": " + said.join(" "));
</script>"#;

/// Uses the page as a reader does, and leaves what is wrong in an attribute of its body.
const LOOK: &str = r##"<script>
addEventListener("load", () => {
  const must = (good, what) => { if (!good) wrongs.push(what); };
  const root = document.documentElement;
  must(innerWidth === WIDTH, "the window is " + innerWidth + " wide");
  must(root.scrollWidth <= innerWidth, "the page is " + root.scrollWidth + " wide in a window of " + innerWidth);
  for (const part of document.querySelectorAll("main *, header *")) {
    if (part.closest(".scroll, svg")) continue;
    const right = part.getBoundingClientRect().right;
    must(right <= innerWidth + 0.5, part.tagName + " " + part.className + " ends at " + right);
  }
  for (const svg of document.querySelectorAll("figure svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
    const boxes = texts.map((text) => text.getBoundingClientRect());
    boxes.forEach((a, i) => {
      must(a.left >= frame.left - 1 && a.right <= frame.right + 1,
        svg.ariaLabel + ": '" + texts[i].textContent.trim() + "' leaves its chart");
      boxes.slice(i + 1).forEach((b, j) => {
        const over = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        must(over < 2 || down < 4,
          svg.ariaLabel + ": '" + texts[i].textContent.trim() + "' over '" + texts[i + 1 + j].textContent.trim() + "'");
      });
    });
  }
  const table = document.querySelector("#pick table");
  const name = table.tBodies[0].rows[0].cells[0].getBoundingClientRect();
  must(name.width >= 100 && name.height < 80, "a name is " + name.width + " wide and " + name.height + " high");
  const column = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent.startsWith("top-1"));
  const values = () => [...table.tBodies[0].rows].map((row) => parseFloat(row.cells[column].textContent));
  const button = table.tHead.rows[0].cells[column].querySelector("button");
  const sorted = (sign) => values().every((value, i, all) => i === 0 || sign * (value - all[i - 1]) >= 0);
  const before = values().length;
  button.click();
  must(sorted(1), "sorting upwards gives " + values());
  button.click();
  must(sorted(-1) && !sorted(1), "sorting downwards gives " + values());
  must(values().length === before && before > 5, "rows before and after sorting: " + before);
  const field = document.querySelector("#pick input");
  field.value = "w48 ssld f32";
  field.dispatchEvent(new Event("input"));
  const seen = [...table.tBodies[0].rows].filter((row) => !row.hidden);
  must(seen.length === 1 && seen[0].cells[0].textContent === "HRNet_W48_C_ssld", "filtering leaves " + seen.length);
  field.value = "";
  field.dispatchEvent(new Event("input"));
  const area = document.querySelector(".tip");
  area.scrollIntoView({ block: "center" });
  const box = area.getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true };
  must(document.elementFromPoint(at.clientX, at.clientY) === area, "a value cannot be pointed at");
  area.dispatchEvent(new PointerEvent("pointermove", at));
  const balloon = document.querySelector(".balloon");
  must(!balloon.hidden && balloon.textContent.includes("HRNet"), "no value is shown: " + balloon.textContent);
  document.body.dataset.wrongs = JSON.stringify(wrongs);
});
</script>"##;

fn chromium(place: &Path, width: u32, height: u32, dark: bool) -> Command {
    let program = std::env::var("ZOO_CHROMIUM").unwrap_or_else(|_| "chromium".into());
    let mut command = Command::new(program);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
    ]);
    command.arg(format!("--user-data-dir={}", place.join("profile").display()));
    command.arg(format!("--window-size={width},{height}"));
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    command
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .expect("chromium starts; ZOO_CHROMIUM names another one");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A page that holds another in a frame of this width: a window of its own would be 500 pixels wide at least.
fn frame(width: u32, height: u32, holds: &str) -> String {
    format!(
        r#"<!DOCTYPE html><body style="margin:0"><iframe {holds} width="{width}" height="{height}" style="border:0"></iframe>
<script>addEventListener("load", () => {{
  try {{ document.body.dataset.wrongs = document.querySelector("iframe").contentDocument.body.dataset.wrongs; }} catch {{ }}
}});</script></body>"#
    )
}

/// The page's own words on what went wrong.
fn wrongs(place: &Path, page: &Path, width: u32) -> String {
    let html = fs::read_to_string(page).expect("a page");
    let look = LOOK.replace("WIDTH", &width.to_string());
    let watched = html.replacen("<head>", &format!("<head>{LISTEN}"), 1).replacen(
        "</body>",
        &format!("{look}</body>"),
        1,
    );
    let inner = watched.replace('&', "&amp;").replace('"', "&quot;");
    let outer = page.with_file_name(format!("watched-{width}.html"));
    fs::write(&outer, frame(width, 900, &format!("srcdoc=\"{inner}\""))).expect("written");
    let url = format!("file://{}", outer.display());
    let dom = run(chromium(place, 1400, 900, false).args(["--dump-dom", &url]));
    let found = dom
        .rsplit("data-wrongs=\"")
        .next()
        .and_then(|rest| rest.split('"').next());
    found
        .filter(|found| found.starts_with('['))
        .expect("the page's script ran to its end")
        .to_owned()
}

/// Takes screenshots of both widths, light and dark, if they are wanted.
fn screenshots(place: &Path, page: &Path) {
    let Some(folder) = std::env::var_os("ZOO_SCREENSHOTS").map(PathBuf::from) else {
        return;
    };
    fs::create_dir_all(&folder).expect("a folder");
    for (width, height) in [(360, 15_000), (1400, 15_000)] {
        let outer = page.with_file_name(format!("framed-{width}.html"));
        fs::write(&outer, frame(width, height, "src=\"index.html\"")).expect("written");
        for (name, dark) in [("light", false), ("dark", true)] {
            let file = folder.join(format!("page-{width}-{name}.png"));
            let url = format!("file://{}", outer.display());
            let shot = format!("--screenshot={}", file.display());
            run(chromium(place, width.max(500), height, dark).args([&shot, &url]));
        }
    }
}

#[test]
#[ignore = "needs a Chromium: .ci/page runs it"]
fn a_page_has_no_errors_and_no_overflow_and_its_tables_sort() {
    let place = tempfile::tempdir().expect("a folder");
    let reports = place.path().join("reports");
    let page = nights(&reports).join("index.html");
    for width in [360, 1400] {
        assert_eq!(wrongs(place.path(), &page, width), "[]", "at {width} pixels");
    }
    screenshots(place.path(), &page);
}
