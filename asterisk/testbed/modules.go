package testbed

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// moduleDir is where this version keeps its modules; the place depends on the
// version and on the processor.
func (a *Asterisk) moduleDir() (string, error) {
	for _, pattern := range []string{"usr/lib/*/asterisk/modules", "usr/lib/asterisk/modules"} {
		found, err := filepath.Glob(filepath.Join(a.root, pattern))
		if err == nil && len(found) == 1 {
			return found[0], nil
		}
	}
	return "", errors.New("find asterisk modules: no such folder in " + a.root)
}

// moduleConf loads an explicit list, because loading all 250 modules takes
// seconds. A name that this version has not is left out.
func moduleConf(dir string, more []string) string {
	var b strings.Builder
	b.WriteString("[modules]\nautoload=no\n")
	for _, name := range append(strings.Fields(modules), more...) {
		if _, err := os.Stat(filepath.Join(dir, name+".so")); err == nil {
			b.WriteString("load=" + name + ".so\n")
		}
	}
	return b.String()
}

const modules = `
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb
res_pjproject res_pjsip res_pjsip_session res_pjsip_authenticator_digest res_pjsip_caller_id
res_pjsip_diversion res_pjsip_dtmf_info res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user
res_pjsip_header_funcs res_pjsip_logger res_pjsip_nat res_pjsip_outbound_authenticator_digest
res_pjsip_pubsub res_pjsip_refer res_pjsip_registrar res_pjsip_rfc3326 res_pjsip_sdp_rtp
chan_pjsip res_rtp_asterisk
bridge_simple bridge_softmix bridge_holding bridge_native_rtp bridge_builtin_features bridge_builtin_interval_features
codec_ulaw codec_alaw codec_resample format_wav format_pcm format_sln format_gsm codec_gsm
res_musiconhold res_agi res_clioriginate res_convert res_mutestream res_tonedetect
res_http_websocket res_websocket_client res_speech res_stasis res_stasis_answer res_stasis_playback res_stasis_recording res_stasis_snoop
res_stasis_device_state app_stasis
res_ari res_ari_model res_ari_applications res_ari_asterisk res_ari_bridges res_ari_channels
res_ari_device_states res_ari_endpoints res_ari_events res_ari_playbacks res_ari_recordings res_ari_sounds
app_bridgewait app_cdr app_chanspy app_confbridge app_dial app_directed_pickup app_echo app_exec app_milliwatt
app_mixmonitor app_originate app_playback app_playtones app_queue app_read app_record app_senddtmf
app_softhangup app_stack app_system app_transfer app_userevent app_verbose app_waitforsilence app_while
app_blind_transfer app_attended_transfer app_talkdetect app_dumpchan
func_base64 func_callerid func_cdr func_channel func_cut func_db func_devstate func_dialgroup func_dialplan
func_env func_extstate func_frame_drop func_global func_groupcount func_hangupcause func_holdintercept func_json
func_logic func_math func_md5 func_module func_periodic_hook func_pjsip_aor func_pjsip_contact func_pjsip_endpoint
func_rand func_sha1 func_shell func_sprintf func_strings func_talkdetect func_timeout func_uri func_version
func_volume
pbx_config
`

// emptyFiles are configuration files whose absence makes Asterisk complain.
func emptyFiles() []string {
	return []string{
		"features.conf", "cel.conf", "ccss.conf", "udptl.conf", "acl.conf", "dnsmgr.conf", "stasis.conf",
		"codecs.conf", "dsp.conf", "confbridge.conf", "cli.conf", "cli_permissions.conf", "cli_aliases.conf",
		"pjproject.conf", "sorcery.conf", "enum.conf", "extconfig.conf",
		"queuerules.conf", "res_parking.conf", "pjsip_notify.conf",
		"websocket_client.conf",
	}
}
