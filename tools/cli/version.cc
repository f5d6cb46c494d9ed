#include "tools/cli/version.h"

namespace walden::cli {

std::string version_text() {
    return WALDEN_VERSION;
}

}  // namespace walden::cli
