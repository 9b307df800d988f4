package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.bug.st/serial"
)

const readTimeout = time.Second

// serial opens the port and reads until it is gone. DTR and RTS are raised:
// some exchanges print only to a terminal that is ready.
func (l *Link) serial(ctx context.Context) error {
	s := l.cfg.Serial
	flow, err := prepareFlow(s)
	if err != nil {
		return fmt.Errorf("open port: %w", err)
	}
	defer flow.close()
	port, err := serial.Open(s.Port, mode(s))
	if err != nil {
		return fmt.Errorf("open port %s: %w", s.Port, err)
	}
	defer port.Close()
	if err := errors.Join(flow.apply(), port.SetReadTimeout(readTimeout)); err != nil {
		return fmt.Errorf("set port %s: %w", s.Port, err)
	}
	if err := errors.Join(port.SetDTR(true), port.SetRTS(true)); err != nil {
		l.log.Debug("port has no DTR and RTS", "error", err)
	}
	l.up(nil)
	err = l.readPort(ctx, port)
	l.down(err)
	return err
}

func (l *Link) readPort(ctx context.Context, port serial.Port) error {
	buf := make([]byte, 4096)
	for ctx.Err() == nil {
		begun := time.Now()
		n, err := port.Read(buf)
		if n > 0 {
			l.data(buf[:n])
		}
		if err != nil {
			return fmt.Errorf("read port: %w", err)
		}
		// A port whose adapter was pulled out may answer at once, with nothing.
		if n == 0 && time.Since(begun) < readTimeout/2 {
			return errors.New("read port: it is gone")
		}
	}
	return ctx.Err()
}

func mode(s Serial) *serial.Mode {
	return &serial.Mode{
		BaudRate: s.Baud, DataBits: s.Bits,
		Parity: map[string]serial.Parity{
			"even": serial.EvenParity, "odd": serial.OddParity, "mark": serial.MarkParity, "space": serial.SpaceParity,
		}[s.Parity],
		StopBits: map[string]serial.StopBits{"1.5": serial.OnePointFiveStopBits, "2": serial.TwoStopBits}[s.Stop],
	}
}

// Ports lists the serial ports of this machine.
func Ports() ([]string, error) {
	ports, err := serial.GetPortsList()
	if err != nil {
		return nil, fmt.Errorf("list ports: %w", err)
	}
	return ports, nil
}
