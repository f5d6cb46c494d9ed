#include "storage/store_settings.h"

#include <utility>

namespace walden::storage {

namespace {

/// The settings of one kind, which stand in [store] beside those of the others.
template <class Kind>
void add_kind(std::vector<Setting<StoreSettings>>& table, Kind StoreSettings::*member,
              std::vector<Setting<Kind>> settings) {
    for (Setting<Kind>& setting : settings)
        table.push_back({.help = std::move(setting.help),
                         .read = [member, read = std::move(setting.read)](
                                     StoreSettings& target, const ConfigValue& value) {
                             read(target.*member, value);
                         }});
}

}  // namespace

std::vector<Setting<StoreSettings>> store_setting_table() {
    std::vector<Setting<StoreSettings>> table = {
        required_setting("url", &StoreSettings::url, text_value(),
                         format("where the repository is: {}", store_url_patterns))};
    add_kind(table, &StoreSettings::s3, s3::s3_setting_table());
    return table;
}

void complete(StoreSettings& settings) {
    if (settings.url.starts_with(s3::s3_scheme)) s3::apply_s3_url(settings.s3, settings.url);
    s3::require_consistent(settings.s3);
}

}  // namespace walden::storage
