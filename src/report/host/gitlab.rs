//! GitLab: a collapsed section in the job's log. What later jobs decide by is `--dotenv`, what
//! merge requests show is `--junit` and `--code-quality`.

pub fn fold(title: &str, time: i64) -> (String, String) {
    let name = format!("compliance_gate_{}", title.to_lowercase());
    (
        format!("section_start:{time}:{name}[collapsed=true]\r\u{1b}[0K{title}\n"),
        format!("section_end:{time}:{name}\r\u{1b}[0K\n"),
    )
}
