#include "base/setting.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace std::chrono_literals;

namespace {

struct Tier {
    std::chrono::milliseconds keep{0};
    int every = 1;
};

struct Retention {
    bool is_enabled = false;
    std::vector<Tier> tiers;
};

struct Whole {
    std::string name;
    Retention retention;
};

std::vector<Setting<Whole>> table() {
    const std::vector<Setting<Tier>> tier = {
        required_setting("keep", &Tier::keep, duration_value(), "how long"),
        setting("every", &Tier::every, number_value<int>(1, 9), "one of how many")};
    return {
        required_setting("name", &Whole::name, text_value(), "of it"),
        section_setting("retention", &Whole::retention,
                        std::vector<Setting<Retention>>{
                            setting("enabled", &Retention::is_enabled, flag_value(), "whether"),
                            table_list_setting("tier", &Retention::tiers, tier, "what stays")})};
}

ConfigMember member(std::string name, std::size_t line, ConfigValue::Data data) {
    return {.name = std::move(name), .line = line, .value = ConfigValue(std::move(data))};
}

ConfigTable with_tiers(ConfigList tiers) {
    ConfigTable retention = {member("tier", 2, std::move(tiers))};
    return {member("name", 1, std::string("x")), member("retention", 2, std::move(retention))};
}

/// "line name complaint" of what reading `config` ends with.
std::string fault_of(const ConfigTable& config) {
    Whole whole;
    try {
        read_settings(config, table(), whole);
    } catch (const ConfigFault& fault) {
        return format("{} {} {}", fault.line, fault.name, fault.complaint);
    }
    return "none";
}

}  // namespace

TEST_CASE("an array of tables is read element by element", "[setting]") {
    Whole whole;
    const ConfigTable first = {member("keep", 3, std::string("30s"))};
    const ConfigTable second = {member("keep", 5, std::string("1h")),
                                member("every", 6, std::int64_t{7})};
    read_settings(with_tiers({ConfigValue(first), ConfigValue(second)}), table(), whole);
    REQUIRE(whole.retention.tiers.size() == 2);
    CHECK(whole.retention.tiers[0].keep == 30s);
    CHECK(whole.retention.tiers[0].every == 1);
    CHECK(whole.retention.tiers[1].keep == 1h);
    CHECK(whole.retention.tiers[1].every == 7);
}

TEST_CASE("a fault names the setting by its whole path and its own line", "[setting]") {
    CHECK(fault_of(with_tiers({})) == "none");
    CHECK(fault_of({}) == "0 name is missing");
    CHECK(fault_of(with_tiers({ConfigValue(ConfigTable{})})) == "0 retention.tier.keep is missing");
    CHECK(fault_of(with_tiers({ConfigValue(ConfigTable{member("keep", 4, std::int64_t{3})})})) ==
          "4 retention.tier.keep must be a duration such as \"500ms\", \"30s\" or \"5min\", at "
          "most a day");
    CHECK(fault_of(with_tiers({ConfigValue(ConfigTable{member("kepe", 4, true)})})) ==
          "4 retention.tier.kepe ");
    CHECK(fault_of(with_tiers({ConfigValue(std::int64_t{1})})) ==
          "2 retention.tier must be tables, each one begun by its name in double brackets");
}

TEST_CASE("the help has each setting with its whole name and its default", "[setting]") {
    std::string all;
    for (const Setting<Whole>& setting : table()) {
        if (!setting.is_section)
            all += format("{}={} ", setting.help.name, setting.help.default_value);
        for (const SettingHelp& part : setting.parts)
            all += format("{}={} ", part.name, part.default_value);
    }
    CHECK(all ==
          "name=required retention.enabled=false retention.tier=[] retention.tier.keep=required "
          "retention.tier.every=1 ");
}

TEST_CASE("durations and sizes are written as they are read", "[setting]") {
    for (const auto duration : {1ms, 1500ms, 5000ms, 90'000ms, 120'000ms, 7'200'000ms})
        CHECK(duration_of(ConfigValue(duration_text(duration))) == duration);
    CHECK(duration_text(90s) == "90s");
    CHECK(duration_text(10min) == "10min");
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{512} << 10, std::size_t{160} << 20, std::size_t{3} << 30})
        CHECK(size_of(ConfigValue(size_setting_text(size)), 0, std::size_t{4} << 30) == size);
}
