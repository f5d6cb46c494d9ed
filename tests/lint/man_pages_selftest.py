#!/usr/bin/env python3
"""Proves man_pages.py: each planted difference is found, and pages that agree give no finding."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import man_pages  # noqa: E402

SETTINGS = """
Settings of the configuration file (TOML):
  cluster            name of this cluster (required)
  store.id           the repository's id; [any] if not given [""]
  key_command        program and arguments [[]]
  codec.level        1 to 19 [1]

Exit status: 0 all is well.
"""
HELP = {
    (): "Options:\n  -h,--help    Print this\n  --config TEXT   Configuration\n\n"
        "Subcommands:\n  check     Check\n  keys      Keys\n" + SETTINGS,
    ("check",): "Options:\n  -h,--help    Print\n  --json   JSON, not --text\n  --no-server   No\n" + SETTINGS,
    ("keys",): "Options:\n  -h,--help    Print\n\nSubcommands:\n  add       Add --key\n" + SETTINGS,
    ("keys", "add"): "Options:\n  -h,--help   Print\n  --json   JSON\n  --bundle TEXT:{read,put}   What\n" + SETTINGS,
}
CONFIG_PAGE = r""".SH SETTINGS
.TP
.B cluster
Required.
.TP
.B store.id
Default:
.BR \(dq\(dq .
.TP
.B key_command
Default:
.BR [] .
.TP
.B codec.level
Default:
.BR 1 .
.SH EXAMPLE
text
text
"""
PROGRAM_PAGE = r""".SH OPTIONS
.TP
.BI \-\-config " FILE"
.TP
.BR \-h ", " \-\-help
.TP
.B \-\-json
.SH COMMANDS
.SS walden check
It is not \-\-mentioned.
.TP
.B \-\-no\-server
.SS walden keys
.SS walden keys add
.TP
.BI \-\-bundle " read\fR|\fPput"
.SH EXAMPLES
.SS walden elsewhere
.TP
.B \-\-elsewhere
text
"""


def findings(config_page, program_page):
    return [*man_pages.compare_settings(man_pages.help_settings(HELP[()]),
                                        man_pages.man_settings(config_page)),
            *man_pages.compare_commands(man_pages.help_commands(HELP.__getitem__),
                                        man_pages.man_commands(program_page))]


class ManPages(unittest.TestCase):
    def test_pages_that_agree_give_no_finding(self):
        self.assertEqual(findings(CONFIG_PAGE, PROGRAM_PAGE), [])

    def test_each_difference_of_the_settings_is_found(self):
        for old, new, finding in [
                (".B store.id", ".B store.di", "has no setting store.id"),
                (".B store.id", ".B store.di", "there is no setting store.di"),
                (".BR 1 .", ".BR 2 .", "codec.level: default '2'"),
                (".BR [] .", ".BR \\(dq\\(dq .", "key_command: default"),
                ("Required.", "The name.", "cluster: default None"),
        ]:
            self.plant(CONFIG_PAGE.replace(old, new), PROGRAM_PAGE, finding)

    def test_each_difference_of_the_commands_is_found(self):
        for old, new, finding in [
                (".SS walden keys add", ".SS Adding", 'has no section "walden keys add"'),
                (".SS walden check", ".SS walden chekc", 'there is no command "walden chekc"'),
                (".B \\-\\-no\\-server", ".B Server", "walden check: has no option --no-server"),
                (".B \\-\\-no\\-server", ".B \\-\\-no\\-sever", "there is no option --no-sever"),
                (".B \\-\\-json", ".B JSON", "walden keys add: has no option --json"),
                (".SH COMMANDS", ".SH ABILITIES", 'has no section "walden check"'),
        ]:
            self.plant(CONFIG_PAGE, PROGRAM_PAGE.replace(old, new), finding)

    def test_a_setting_without_its_default_in_the_help_is_an_error(self):
        with self.assertRaises(ValueError):
            man_pages.help_settings(SETTINGS.replace(" [1]", ""))

    def plant(self, config_page, program_page, finding):
        found = findings(config_page, program_page)
        self.assertTrue(any(finding in one for one in found), f"{finding!r} is not in {found}")


if __name__ == "__main__":
    unittest.main()
