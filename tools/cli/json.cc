#include "tools/cli/json.h"

#include <cstdio>

namespace walden::cli {

void print_json(const Json& json) {
    Json whole = {{"schema", json_schema}};
    whole.update(json);
    std::puts(whole.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void print_json_error(const Error& error) {
    print_json({{"error",
                 {{"kind", to_string(error.kind())},
                  {"message", error.message()},
                  {"detail", error.detail()},
                  {"hint", error.hint()}}}});
}

}  // namespace walden::cli
