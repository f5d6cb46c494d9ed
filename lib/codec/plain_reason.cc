#include "codec/plain_reason.h"

namespace walden::codec {

std::string_view to_string(PlainReason reason) {
    switch (reason) {
        case PlainReason::none: return "none";
        case PlainReason::size: return "size";
        case PlainReason::version: return "version";
        case PlainReason::other_page_size: return "other_page_size";
        case PlainReason::page_header: return "page_header";
        case PlainReason::record_header: return "record_header";
        case PlainReason::record_crc: return "record_crc";
        case PlainReason::back_link: return "back_link";
        case PlainReason::padding: return "padding";
        case PlainReason::too_many_templates: return "too_many_templates";
        case PlainReason::does_not_come_back: return "does_not_come_back";
        case PlainReason::saves_nothing: return "saves_nothing";
        case PlainReason::not_wal: return "not_wal";
    }
    return "unknown";
}

}  // namespace walden::codec
