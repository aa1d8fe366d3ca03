// An echo server in a program whose loop is Qt's, version 5 or 6, beside a timer of Qt's. Qt's keyword macros are on.
#include <QCoreApplication>
#include <QTimer>

#include "echo_service.h"

#include <halyard/adapters/qt.h>

int main(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    const halyard::QtDriver driver; // after the application
    EchoService echo;

    QTimer timer;
    QObject::connect(&timer, &QTimer::timeout, [&echo] { echo.report(); });
    timer.start(100);

    return echo.listen(argc, argv) ? application.exec() : 1;
}
