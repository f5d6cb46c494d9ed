#include "tools/config/encryption_section.h"

#include "base/error.h"

namespace walden::cli {

namespace {

/// A setting that says where the key comes from, of which there may be one.
Setting<EncryptionSection> key_setting(
    std::string name, std::string meaning,
    std::function<crypto::KeySource(EncryptionSection&, const ConfigValue&)> read) {
    return {
        .help = {.name = std::move(name), .default_value = "unset", .meaning = std::move(meaning)},
        .read = [read = std::move(read)](EncryptionSection& section, const ConfigValue& value) {
            crypto::KeySource source = read(section, value);
            if (section.key_source)
                throw BadValue{"only one of key_file, key_env, key_command and passphrase_file"};
            section.key_source = std::move(source);
        }};
}

}  // namespace

std::vector<Setting<EncryptionSection>> encryption_setting_table() {
    using Section = EncryptionSection;
    return {
        setting("enabled", &Section::is_enabled, flag_value(),
                "false stores everything readable by whoever has the store"),
        key_setting("key_file", "file with the key, mode 0600; made by \"walden init\"",
                    [](Section& section, const ConfigValue& value) {
                        section.key_file = absolute_path_of(value);
                        return crypto::KeyFile{section.key_file};
                    }),
        key_setting("key_env", "name of an environment variable that holds the key",
                    [](Section&, const ConfigValue& value) {
                        return crypto::KeyEnvironment{text_of(value)};
                    }),
        key_setting("key_command", "program and arguments (no shell) that print the key, for a KMS",
                    [](Section&, const ConfigValue& value) {
                        return crypto::KeyCommand{.argv = command_of(value)};
                    }),
        key_setting("passphrase_file",
                    "file with a passphrase, mode 0600; each start then takes about half a second",
                    [](Section&, const ConfigValue& value) {
                        return crypto::PassphraseFile{absolute_path_of(value)};
                    }),
    };
}

void require_complete(const EncryptionSection& section) {
    if (section.is_enabled && !section.key_source)
        throw Error(ErrorKind::usage, "[encryption] names no key")
            .with_hint(
                "Set key_file, key_env, key_command or passphrase_file, or \"enabled = false\".");
}

}  // namespace walden::cli
