#include "base/error.h"

#include <system_error>

namespace walden {

std::string_view to_string(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::usage: return "usage";
        case ErrorKind::not_found: return "not_found";
        case ErrorKind::conflict: return "conflict";
        case ErrorKind::foreign: return "foreign";
        case ErrorKind::corrupt: return "corrupt";
        case ErrorKind::missing: return "missing";
        case ErrorKind::denied: return "denied";
        case ErrorKind::unavailable: return "unavailable";
        case ErrorKind::io: return "io";
        case ErrorKind::canceled: return "canceled";
    }
    return "unknown";
}

std::string describe_errno(int error_number) {
    return std::generic_category().message(error_number);
}

Error system_error(ErrorKind kind, std::string_view action, int error_number) {
    return Error(kind, std::string(action) + ": " + describe_errno(error_number));
}

}  // namespace walden
