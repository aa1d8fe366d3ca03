#include "journal.h"

#include "standard_streams.h"

#include <string_view>

namespace echo {

namespace {

std::string count(std::uint64_t number, std::string_view what) {
    std::string text = std::to_string(number);
    text.append(" ").append(what);
    if (number != 1)
        text.push_back('s');
    return text;
}

} // namespace

void Journal::listening(const halyard::Endpoint& where) { writeOut("listening on " + where.toString() + '\n'); }

void Journal::connected(const halyard::Endpoint& peer) {
    ++connections_;
    writeOut(peer.toString() + " connected\n");
}

void Journal::ended(const std::string& how, std::uint64_t bytes) {
    writeOut(how + " (" + count(bytes, "byte") + " echoed)\n");
}

void Journal::stopped() {
    writeOut("stopped: " + count(connections_, "connection") + ", " + count(bytes_, "byte") + '\n');
}

} // namespace echo
