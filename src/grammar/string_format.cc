#include "grammar/string_format.h"

#include <utility>

namespace carat {
namespace {

// Years 0001 to 9999; February 29 only in leap years of the Gregorian
// calendar.
#define CARAT_YEAR "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
#define CARAT_LEAP_YEAR                          \
  "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])" \
  "|(?:0[48]|[2468][048]|[13579][26])00)"
#define CARAT_DATE                                    \
  "(?:" CARAT_YEAR                                    \
  "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])" \
  "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"            \
  "|02-(?:0[1-9]|1[0-9]|2[0-8]))"                     \
  "|" CARAT_LEAP_YEAR "-02-29)"
#define CARAT_TIME                                               \
  "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?" \
  "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
// The first label begins with a letter and the last one too, so that no host
// name looks like a number or an address.
#define CARAT_NAME_LABEL "[a-zA-Z](?:[a-zA-Z0-9]{0,20})"
#define CARAT_HOST "(?:" CARAT_NAME_LABEL "(?:\\." CARAT_NAME_LABEL "){0,4})"
#define CARAT_OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define CARAT_IPV4 CARAT_OCTET "(?:\\." CARAT_OCTET "){3}"
#define CARAT_H16 "[0-9a-fA-F]{1,4}"
#define CARAT_PATH_CHAR "(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"

constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
    {"date", CARAT_DATE},
    {"time", CARAT_TIME},
    {"date-time", CARAT_DATE "T" CARAT_TIME},
    {"duration",
     "P(?:[0-9]{1,4}W|(?:[0-9]{1,4}Y(?:[0-9]{1,4}M(?:[0-9]{1,4}D)?)?"
     "|[0-9]{1,4}M(?:[0-9]{1,4}D)?|[0-9]{1,4}D)"
     "(?:T(?:[0-9]{1,4}H(?:[0-9]{1,4}M(?:[0-9]{1,4}S)?)?"
     "|[0-9]{1,4}M(?:[0-9]{1,4}S)?|[0-9]{1,4}S))?"
     "|T(?:[0-9]{1,4}H(?:[0-9]{1,4}M(?:[0-9]{1,4}S)?)?"
     "|[0-9]{1,4}M(?:[0-9]{1,4}S)?|[0-9]{1,4}S))"},
    {"uuid", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"},
    {"email",
     "[a-zA-Z0-9_+-]{1,40}(?:\\.[a-zA-Z0-9_+-]{1,20}){0,3}"
     "@" CARAT_NAME_LABEL "(?:\\." CARAT_NAME_LABEL "){1,4}"},
    {"hostname", CARAT_HOST},
    {"ipv4", CARAT_IPV4},
    {"ipv6",
     "(?:" CARAT_H16 ":){7}" CARAT_H16 "|(?:" CARAT_H16 ":){1,6}:" CARAT_H16
     "|(?:" CARAT_H16 ":){1,5}(?::" CARAT_H16 "){2}"
     "|(?:" CARAT_H16 ":){1,4}(?::" CARAT_H16 "){3}"
     "|(?:" CARAT_H16 ":){1,3}(?::" CARAT_H16 "){4}"
     "|(?:" CARAT_H16 ":){1,2}(?::" CARAT_H16 "){5}"
     "|" CARAT_H16 ":(?::" CARAT_H16 "){6}|:(?::" CARAT_H16 "){1,7}|::"
     "|(?:" CARAT_H16 ":){1,7}:"},
    {"uri", "(?:https?|ftp)://" CARAT_HOST "(?::[1-9][0-9]{0,3})?"
            "(?:/" CARAT_PATH_CHAR "*)*(?:\\?" CARAT_PATH_CHAR "*)?"
            "(?:#" CARAT_PATH_CHAR "*)?"
            "|(?:mailto|urn:[a-z]{2,10}|tel|data):" CARAT_PATH_CHAR "+"},
    {"uri-reference", "(?:https?://" CARAT_HOST ")?(?:/" CARAT_PATH_CHAR "+)+"
                      "(?:\\?" CARAT_PATH_CHAR "*)?(?:#" CARAT_PATH_CHAR "*)?"},
    {"json-pointer", "(?:/(?:[^\\u0000-\\u001f/~]|~[01])*)*"},
};

}  // namespace

std::string_view FormatPattern(std::string_view format) {
  for (const auto& [name, pattern] : kFormats) {
    if (name == format) return pattern;
  }
  return {};
}

}  // namespace carat
