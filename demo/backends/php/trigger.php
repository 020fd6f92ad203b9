<?php
// A push from PHP, with nothing but what PHP brings. TUTTI_URL is where the Tutti server is, TUTTI_APP its app as
// id:key:secret.

// --- The real-time part: 22 lines ----------------------------------------------------------------------------------
/** Pushes an event to everyone who is subscribed to the channel; returns the status and the text of the answer. */
function trigger(string $channel, string $event, string $data): array
{
    [$id, $key, $secret] = explode(':', getenv('TUTTI_APP') ?: '1:app-key:app-secret');
    $body = json_encode(['name' => $event, 'channel' => $channel, 'data' => $data], JSON_THROW_ON_ERROR);
    $query = http_build_query([
        'auth_key' => $key,
        'auth_timestamp' => time(),
        'auth_version' => '1.0',
        'body_md5' => md5($body),
    ]);
    $path = "/apps/$id/events";
    $signature = hash_hmac('sha256', "POST\n$path\n$query", $secret);
    $context = stream_context_create(['http' => [
        'method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $body, 'ignore_errors' => true,
    ]]);
    $url = getenv('TUTTI_URL') ?: 'http://127.0.0.1:1234';
    $stream = @fopen("$url$path?$query&auth_signature=$signature", 'r', false, $context);
    if ($stream === false) throw new RuntimeException("No answer from $url: " . error_get_last()['message']);
    $status = (int) explode(' ', stream_get_meta_data($stream)['wrapper_data'][0])[1];
    return [$status, stream_get_contents($stream)];
}
// -------------------------------------------------------------------------------------------------------------------

if ($argc < 4 || $argc > 5) {
    fwrite(STDERR, "Usage: php trigger.php <channel> <event> <data, as JSON or any text>\n");
    fwrite(STDERR, "       php trigger.php <channel> <event> <name> <text>, for the chat of the other applications\n");
    exit(2);
}
try {
    $data = $argc === 4 ? $argv[3] : json_encode(['name' => $argv[3], 'text' => $argv[4]], JSON_THROW_ON_ERROR);
    [$status, $answer] = trigger($argv[1], $argv[2], $data);
} catch (JsonException | RuntimeException $problem) {
    fwrite(STDERR, 'Not sent: ' . $problem->getMessage() . "\n");
    exit(1);
}
if ($status !== 200) {
    fwrite(STDERR, "Not sent: the server answered $status: " . trim($answer) . "\n");
    exit(1);
}
echo $answer, "\n";
